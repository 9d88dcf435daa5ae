"""Listening, and stopping so that no request is lost: uvicorn, told how to leave."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from portfolio.errors import ServeError
from portfolio.systemd import notify, passed_sockets, watchdog_s
from portfolio.web.app import application
from portfolio.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from portfolio.settings import Settings
    from portfolio.web.reading import Reading

BACKLOG = 2048  # connections that wait in the kernel while no process listens
CONNECTIONS = 800  # at a time, of the 1024 descriptors a process has; in 16 seconds 50 a second pile up as many
HEADER_BYTES = 16_384  # of a request's line and headers together
LONGEST_S = 30.0  # without a finished answer, a connection is dropped: whoever sends or reads in drops holds no room
ACCEPTED_WITHIN_S = 0.05  # connections taken from the kernel are known to the server by then
LAST_REQUESTS_S = 1.0  # for clients that keep their connection to ask again and learn that it ends
IN_FLIGHT_S = 10  # for answers under way; none takes a fifth of it
STATUS_EVERY_S = 30.0
ANSWERABLE = (h11.IDLE, h11.SEND_RESPONSE)  # no answer's first line has been sent

log = logging.getLogger(__name__)


class Patient(H11Protocol):
    """One connection, dropped when for long it neither finishes a request nor takes its answer."""

    longest_s = LONGEST_S
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first answer's end."""
        super().connection_made(transport)  # pyrefly: ignore[bad-argument-type]  # uvicorn narrows the base's type
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next one's."""
        super().on_response_complete()
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request; uvicorn would also let an answer under way end in a traceback."""
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True
        if self.conn.our_state in ANSWERABLE:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        if self._limit:
            self._limit.cancel()

    def _wait(self) -> None:
        if self._limit:
            self._limit.cancel()
        self._limit = self.loop.call_later(self.longest_s, self.transport.abort)


class Listening(uvicorn.Server):
    """The server's life: ready once it listens, and on its way out the last request is answered before it goes."""

    def __init__(
        self, config: uvicorn.Config, reading: Reading, stopping: asyncio.Event, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._reading, self._stopping, self._started = reading, stopping, started
        self._telling: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the base's signature
        """Stop when asked to, with exit code 0; a second Ctrl-C does not wait for anybody."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        where = [address_of(listener) for listener in sockets or ()]
        log.info("serving", extra={"release": str(self._reading.running), "addresses": where})
        self._started()
        notify(f"READY=1\nSTATUS=release {self._reading.running}")
        self._telling = asyncio.create_task(self._tell())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave new connections to who listens next, answer those that were taken, then go."""
        notify("STOPPING=1\nSTATUS=answering the last requests")
        self._stopping.set()
        if self._telling:
            self._telling.cancel()
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                loop.remove_reader(listener.fileno())
        # asyncio would lose a connection that it has accepted, but not announced, when its listener is closed.
        await asyncio.sleep(ACCEPTED_WITHIN_S)
        until = loop.time() + LAST_REQUESTS_S
        while self._answering(loop, until):  # noqa: ASYNC110  # uvicorn tells nobody of the last one's end
            await asyncio.sleep(ACCEPTED_WITHIN_S)
        await super().shutdown(sockets)
        log.info("stopped", extra={"requests": self.server_state.total_requests})

    def _answering(self, loop: asyncio.AbstractEventLoop, until: float) -> bool:
        return bool(self.server_state.connections) and loop.time() < until and not self.force_exit

    async def _tell(self) -> None:
        """Keep systemd's status line true, and its watchdog quiet."""
        every_s = min(STATUS_EVERY_S, (watchdog_s() or STATUS_EVERY_S * 2) / 2)
        while True:
            try:
                notify(f"WATCHDOG=1\nSTATUS={await self._status()}")
            except Exception:
                log.exception("status line not made")  # the answers say what is wrong; this line is worth no crash
            await asyncio.sleep(every_s)

    async def _status(self) -> str:
        seen = await self._reading.seen()
        signal_ = getattr(seen.published, "signal", None)
        decided = f"{signal_.decision} for session {signal_.session}" if signal_ else "nothing published"
        return f"release {seen.running}: {decided}; {seen.health.status.name}"


def listening_sockets(settings: Settings) -> list[socket.socket]:
    """Return systemd's sockets, else one of our own at the address set.

    Raises ServeError when the address cannot be had.
    """
    passed = passed_sockets()
    if passed:
        return passed
    host, port = settings.web_host, settings.web_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return [socket.create_server((host, port), family=family, backlog=BACKLOG)]
    except OSError as error:
        message = (
            f"{host}, port {port}, cannot be listened on ({error.strerror}): end the program that has it, or set "
            "PORTFOLIO_WEB_HOST or PORTFOLIO_WEB_PORT."
        )
        raise ServeError(message) from error


def address_of(listener: socket.socket) -> str:
    """Return where a listening socket answers, as a browser wants it."""
    if listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    reading: Reading, sockets: list[socket.socket], started: Callable[[], None], *, access_log: bool = False
) -> None:
    """Answer on the sockets until SIGTERM or Ctrl-C, and until the last request is answered.

    `started` is called once requests are answered and both signals end it in good order.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # what it says of itself at INFO, we say in fields
    stopping = asyncio.Event()
    options: dict[str, Any] = {
        "loop": "asyncio",
        "http": Patient,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,  # as all our logging is set
        "access_log": access_log,
        "proxy_headers": False,
        "server_header": False,
        "backlog": BACKLOG,
        "limit_concurrency": CONNECTIONS,
        "h11_max_incomplete_event_size": HEADER_BYTES,
        "timeout_graceful_shutdown": IN_FLIGHT_S,
    }
    config = uvicorn.Config(Guard(application(reading), stopping), **options)
    Listening(config, reading, stopping, started).run(sockets)
