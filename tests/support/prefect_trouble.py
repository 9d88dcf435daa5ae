"""A Prefect API that refuses what a test chooses, and hands everything else to the real server behind it."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.prefect_server import Prefect

HANDED_ON = ("content-type", "location", "retry-after")
HANDED_BACK = ("content-type", "accept", "prefect-version", "user-agent", "x-prefect-api-version")


@dataclass(slots=True)
class Trouble:
    """What is refused from now on: requests (method, path, body) by pattern, each with the status it gets."""

    url: str
    refused: dict[str, int] = field(default_factory=dict)
    met: list[str] = field(default_factory=list)

    def status_of(self, request: str) -> int | None:
        status = next((status for pattern, status in self.refused.items() if re.search(pattern, request)), None)
        if status:
            self.met.append(request)
        return status


class _Server(ThreadingHTTPServer):
    trouble: Trouble
    behind: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        server = cast("_Server", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = (
            404
            if self.headers.get("Upgrade")
            else server.trouble.status_of(f"{self.command} {self.path} {body.decode(errors='replace')}")
        )
        if status:
            return self._send(status, {}, b"{}")
        headers = {name: value for name, value in self.headers.items() if name.lower() in HANDED_BACK}
        answer = httpx.request(self.command, server.behind + self.path, content=body, headers=headers, timeout=60)
        return self._send(answer.status_code, dict(answer.headers), answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  # names of the base class

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() in HANDED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Say nothing on stderr."""


@contextmanager
def in_trouble(prefect: Prefect) -> Iterator[Trouble]:
    """Stand between flows and a server; nothing is refused at first."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.trouble = Trouble(f"http://127.0.0.1:{server.server_port}/api")
    server.behind = prefect.url.removesuffix("/api")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.trouble
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
