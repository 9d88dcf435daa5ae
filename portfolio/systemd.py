"""What systemd hands a service it starts: sockets to answer on, and a place to tell how it is."""

from __future__ import annotations

import logging
import os
import socket

from portfolio.errors import ServeError

FIRST = 3  # sd_listen_fds(3): descriptors are passed from this one on

log = logging.getLogger(__name__)


def passed_sockets() -> list[socket.socket]:
    """Return the listening sockets systemd passed to this process; none when it did not start it by a socket.

    Raises ServeError when what was passed is no listening stream socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []  # of a parent's, left in the environment
    count = os.environ.get("LISTEN_FDS", "")
    try:
        sockets = [socket.socket(fileno=descriptor) for descriptor in range(FIRST, FIRST + int(count))]
        listening = [_listens(passed) for passed in sockets]
    except (OSError, ValueError) as error:
        message = f"systemd's sockets cannot be used (LISTEN_FDS={count!r}: {error}): look at the socket's unit."
        raise ServeError(message) from error
    if not sockets or not all(listening):
        message = f"LISTEN_FDS={count!r} has no listening stream sockets: the socket's unit needs ListenStream=."
        raise ServeError(message)
    for passed in sockets:
        passed.set_inheritable(False)
    return sockets


def _listens(passed: socket.socket) -> bool:
    return passed.type == socket.SOCK_STREAM and bool(passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def notify(state: str) -> None:
    """Tell systemd, when it listens: READY=1, STATUS=..., WATCHDOG=1, STOPPING=1; a lost word is worth no failure."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.sendto(state.encode(), f"\0{place[1:]}" if place.startswith("@") else place)
    except OSError as error:
        log.warning("systemd not told", extra={"reason": str(error)})


def watchdog_s() -> float | None:
    """Return the time within which systemd wants to hear of this process again and again; None when it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) else None
