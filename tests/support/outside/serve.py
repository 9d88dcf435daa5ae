"""The server itself: real HTTP on 127.0.0.1, a thread for each connection, nothing left behind at the end."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from tests.support.outside.fred import API_KEY
from tests.support.outside.market import read_market
from tests.support.outside.records import HTML, Answer, Asked
from tests.support.outside.routes import question_of
from tests.support.outside.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from tests.support.outside.faults import Fault
    from tests.support.outside.records import Question

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST instead of FIN
LONGEST_SILENCE_S = 60.0  # an answer that never comes stops pretending then


class Stub:
    """What a test holds of the server: its address, its clock, its faults, and what it was asked."""

    def __init__(self, world: World, url: str) -> None:
        self.url = url
        self.world = world
        self._lock = threading.Lock()
        self._asked: list[Asked] = []

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which the product speaks to this server, impatiently."""
        return {
            "PORTFOLIO_YAHOO_URL": f"{self.url}/yahoo",
            "PORTFOLIO_FRED_URL": f"{self.url}/fred",
            "PORTFOLIO_HEALTHCHECKS_URL": f"{self.url}/ping",
            "FRED_API_KEY": API_KEY,
            "PORTFOLIO_FETCH_BACKOFF_S": "0.05",
            "PORTFOLIO_FETCH_TIMEOUT_S": "1",
        }

    def at(self, instant: datetime | None) -> None:
        """Set the services' clock: nothing later is served. None: everything there is, and the wall clock."""
        self.world.now = instant

    def inject(self, *faults: Fault) -> None:
        """Let these go wrong from now on, beside those injected before."""
        self.world.faults.inject(*faults)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.world.faults.clear()

    @property
    def requests(self) -> tuple[Asked, ...]:
        """What was asked so far, in the order of the answers."""
        with self._lock:
            return tuple(self._asked)

    def forget(self) -> None:
        """Start the list of requests anew."""
        with self._lock:
            self._asked.clear()

    def note(self, question: Question, status: int) -> None:
        """Add a request to the list."""
        asked = Asked(
            question.service,
            question.endpoint,
            question.subject,
            question.path,
            question.query,
            status,
            question.body,
        )
        with self._lock:
            self._asked.append(asked)


class Server(ThreadingHTTPServer):
    """Joins its threads when it is closed: every open connection is cut first, every silence ended."""

    daemon_threads = False
    block_on_close = True
    stub: Stub

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.ending = threading.Event()
        self.crashes: list[BaseException] = []
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:  # as the base class has it
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # as the base class has it
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # as the base class has it
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):  # OSError: the client went away, as it may
            self.crashes.append(error)

    def cut(self) -> None:
        """End every silence and every connection."""
        self.ending.set()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # already gone


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive between requests."""

    protocol_version = "HTTP/1.1"

    @property
    def _server(self) -> Server:
        return cast("Server", self.server)

    def do_GET(self) -> None:
        """Answer a GET; the services' forms and pings come the same way."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a consent form or a ping with a body."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer a ping that wants no body."""
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("utf-8", "replace")
        question = question_of(self.path, self.headers.get("Cookie", ""), body)
        if question is None:
            self._send(Answer(404, b"The stub has no such page.\n", HTML))
            return
        answer = self._server.stub.world.answer(question)
        self._server.stub.note(question, 0 if answer.reset else answer.status)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        if answer.wait_s:
            self._server.ending.wait(min(answer.wait_s, LONGEST_SILENCE_S))
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.kind), *answer.headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        body = answer.body if answer.sent is None else answer.body[: answer.sent]
        if not answer.pace_s:
            self.wfile.write(body)
        for place in range(len(body) if answer.pace_s else 0):
            self.wfile.write(body[place : place + 1])
            if self._server.ending.wait(answer.pace_s):
                break
        self.close_connection = self.close_connection or len(body) < len(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Say nothing: `Stub.requests` is the log."""


@contextmanager
def serving(market: Path, port: int = 0) -> Iterator[Stub]:
    """Serve a market's folder until the block ends; a crash of the stub itself is raised there."""
    server = Server(port)
    stub = server.stub = Stub(World(read_market(market)), f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.cut()
        server.server_close()
        if server.crashes:
            raise server.crashes[0]
