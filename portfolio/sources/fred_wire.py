"""How fredapi's requests reach FRED: within a total time, at most two a second, counted.

fredapi asks through urllib's global opener and sets no time-out. For the length of a question that opener is ours; it
concerns nothing but what urllib opens meanwhile, and no socket default is touched.
"""

from __future__ import annotations

import io
import socket
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.response import addinfourl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portfolio.sources.live_wire import Deadline

SECONDS_APART = 0.5  # FRED allows 120 requests a minute (its terms of use of the API)


class _KeepsSocket(HTTPConnection):
    """Knows its socket even after urllib has handed it over to the answer."""

    opened: socket.socket | None = None

    def connect(self) -> None:
        super().connect()
        self.opened = self.sock

    def cut(self) -> None:
        with suppress(OSError):  # already closed
            if self.opened:
                self.opened.shutdown(socket.SHUT_RDWR)


class _KeepsSecureSocket(_KeepsSocket, HTTPSConnection):
    """The same over TLS."""


class FredHandler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Reads each answer whole, within `timeout_s` and the deadline.

    A socket's own time-out starts anew with each byte, so a server that trickles would never meet it: the connection
    is cut when the time is up, wherever it is.
    """

    def __init__(self, timeout_s: float, deadline: Deadline) -> None:
        super().__init__()
        self.count = 0
        self.status = 0  # of the newest answer; 0 before it came
        self.retry_after: str | None = None
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._free_at = 0.0  # when the next request may be sent

    def http_open(self, req: urllib.request.Request) -> Any:  # noqa: ANN401  # urllib's protocol
        """Answer a request over HTTP."""
        return self._answer(_KeepsSocket, req)

    def https_open(self, req: urllib.request.Request) -> Any:  # noqa: ANN401  # urllib's protocol
        """Answer a request over HTTPS."""
        return self._answer(_KeepsSecureSocket, req)

    @contextmanager
    def asked_by_urllib(self) -> Iterator[None]:
        """Be the way that urllib takes, inside."""
        urllib.request.install_opener(urllib.request.build_opener(self))
        try:
            yield
        finally:
            urllib.request.install_opener(None)  # pyrefly: ignore[bad-argument-type]  # urllib makes its own again

    def _answer(self, kind: type[_KeepsSocket], req: urllib.request.Request) -> addinfourl:
        self._pause()
        self.count += 1
        self.status, self.retry_after = 0, None
        req.timeout = min(self._timeout_s, self._deadline.left("FRED"))
        connections: list[_KeepsSocket] = []

        def connect(host: str, **options: Any) -> HTTPConnection:  # noqa: ANN401  # as urllib calls it
            connections.append(kind(host, **options))
            return connections[-1]

        guard = threading.Timer(req.timeout, lambda: [connection.cut() for connection in connections])
        guard.start()
        try:
            response = self.do_open(connect, req)
            body = response.read()
        finally:
            guard.cancel()
            guard.join()
        self.status, self.retry_after = response.status, response.headers.get("Retry-After")
        answer = addinfourl(io.BytesIO(body), response.headers, req.full_url, response.status)
        answer.msg = response.reason  # pyrefly: ignore[missing-attribute]  # urllib reads it where it looks for errors
        return answer

    def _pause(self) -> None:
        time.sleep(max(self._free_at - time.monotonic(), 0.0))
        self._free_at = time.monotonic() + SECONDS_APART
