"""Connections whose other side is slow or silent do not stay, and hold nobody else up."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from portfolio.web.listening import Patient, address_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SHORT_S = 0.4
LARGE = b"x" * 50_000_000  # more than the sockets between the two hold


class Hasty(Patient):
    longest_s = SHORT_S


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]})
    await send({"type": "http.response.body", "body": LARGE})


def with_server(told: bytes, then: Callable[[asyncio.StreamReader], Awaitable[Any]]) -> Any:
    """Serve, send these bytes on one connection, and return what comes of reading from it."""

    async def work() -> Any:
        config = uvicorn.Config(answer, http=Hasty, lifespan="off", log_config=None, timeout_keep_alive=60)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running = asyncio.create_task(server.serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            try:
                writer.write(told)
                return await then(reader)
            finally:
                writer.close()
                server.should_exit = True
                await running

    return asyncio.run(work())


async def read_to_the_end(reader: asyncio.StreamReader) -> tuple[bytes, float]:
    began = time.monotonic()
    try:
        found = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        found = b""
    return found, time.monotonic() - began


@pytest.mark.parametrize("told", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_connection_is_dropped_when_its_request_does_not_come(told):
    found, took_s = with_server(told, read_to_the_end)
    assert found == b""
    assert SHORT_S * 0.9 < took_s < 8


def test_connection_is_dropped_when_its_answer_is_not_taken():
    async def look_away(reader: asyncio.StreamReader) -> int:
        await asyncio.sleep(SHORT_S * 4)
        found, _ = await read_to_the_end(reader)
        return len(found)

    assert with_server(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", look_away) < len(LARGE)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_address_is_told_as_a_browser_wants_it(host, family):
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == (f"http://[::1]:{port}" if ":" in host else f"http://127.0.0.1:{port}")
