"""A dead-man's switch of our own: it keeps every ping it gets and answers as it is told to, or never."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK = "0b1c2d3e-4f50-4a61-8b72-93a4b5c6d7e8"  # of nobody's
TRICKLE_S = 0.05  # between two bytes: each is in time, their end never comes


@dataclass(frozen=True)
class Answer:
    """What a ping is answered: a status with a text, or "silent" (nothing), "trickle" (no end), "drop" (hung up)."""

    status: int = 200
    text: str = "OK"
    location: str = ""
    manner: str = "whole"


@dataclass(frozen=True)
class Ping:
    """One ping as it arrived; `signal` is what its address says of the job: success, start, fail."""

    check: str
    signal: str
    rid: str
    body: str


@dataclass
class Switch:
    """The service: where it is, what arrived, and what it will answer; "OK" when nothing else is left to answer."""

    url: str
    answers: list[Answer]
    pings: list[Ping] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # paths that are no ping's
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def signals(self) -> list[str]:
        return [ping.signal for ping in self.pings]

    @property
    def settings(self) -> dict[str, str]:
        return {"PORTFOLIO_HEALTHCHECKS_URL": self.url, "HEALTHCHECK_UUID": CHECK}


@contextmanager
def switch(*answers: Answer) -> Iterator[Switch]:
    """Serve until the end of the block; pings are answered with `answers` in turn."""
    server = _Server(("127.0.0.1", 0), _Pinged)
    this = server.switch = Switch(f"http://127.0.0.1:{server.server_port}/ping", list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield this
    finally:
        this.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    switch: Switch


class _Pinged(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        this = cast("_Server", self.server).switch
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        match parts.path.strip("/").split("/"):
            case ["ping", check, *signal]:
                rid = parse_qs(parts.query).get("rid", [""])[0]
                this.pings.append(Ping(check, signal[0] if signal else "success", rid, body))
            case _:
                this.others.append(parts.path)
        self._answer(this, this.answers.pop(0) if this.answers else Answer())

    def _answer(self, this: Switch, answer: Answer) -> None:
        if answer.manner == "silent":
            this.closing.wait()
        if answer.manner in {"silent", "drop"}:
            self.close_connection = True
            return
        self.send_response(answer.status)
        if answer.location:
            self.send_header("Location", answer.location)
        endless = answer.manner == "trickle"
        self.send_header("Content-Length", "1000000" if endless else str(len(answer.text)))
        self.end_headers()
        while endless and not this.closing.wait(TRICKLE_S):
            self.wfile.write(b".")
            self.wfile.flush()
        self.wfile.write(answer.text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
        """Keep the tests' output clean."""
