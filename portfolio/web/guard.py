"""What holds for every answer: safe headers, only names of this machine, the connection's end while stopping."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from asyncio import Event

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The page carries its styles and its icon in itself; nothing is fetched, nothing is run, nobody frames it.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, stopping: Event) -> None:
        self._app, self._stopping = app, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A client that keeps its connection learns that this was the last answer on it, and opens another.
                closing = [(b"connection", b"close")] if self._stopping.is_set() else []
                message["headers"] = [*message.get("headers", ()), *HEADERS, *closing]
            await send(message)

        if names_this_machine(_host(scope)):
            await self._app(scope, receive, guarded)
        else:
            refused = JSONResponse({"error": "Ask by an IP address or localhost, not by another name."}, 421)
            await refused(scope, receive, guarded)


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def names_this_machine(host: str) -> bool:
    """Tell whether a Host header is an address, localhost, or missing.

    A page of somebody else's can have its own name lead to 127.0.0.1 and then read what it is answered there, through
    the reader's browser and tunnel; the name in the header gives it away.
    """
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if name.lower() in {"", "localhost"}:
        return True
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
