"""A constant load on the web: `python -m tests.support.machine.load --rate 50 --report FILE`, ended by SIGTERM.

Requests start by the clock, not when the one before was answered: a server that stalls is met by a growing crowd, as
in life. Each has a connection of its own; beside them a few clients keep theirs and, like any HTTP client, send again
when the server closed it before it said a word. The report says how many were sent, which failed and how, and how long
they took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
PORT = 8080
PATHS = ("/healthz", "/", "/api/v1/signal", "/metrics", "/readyz")
PATIENCE_S = 30.0
KEPT_CLIENTS = 3
KEPT_PAUSE_S = 0.5


@dataclass(slots=True)
class Tally:
    """What was sent and what came of it."""

    sent: int = 0
    kept_sent: int = 0
    failures: list[dict[str, str | float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def answered(self, path: str, status: int, took_s: float) -> None:
        self.seconds.append(took_s)
        key = f"{path} {status}"
        self.statuses[key] = self.statuses.get(key, 0) + 1
        if status != 200:
            self.failed(path, f"status {status}")

    def failed(self, path: str, what: str) -> None:
        self.failures.append({"at": time.time(), "path": path, "what": what})

    def report(self) -> dict[str, object]:
        ordered = sorted(self.seconds) or [0.0]
        return {
            **{key: value for key, value in asdict(self).items() if key != "seconds"},
            "answered": len(self.seconds),
            "failed": len(self.failures),
            "median_s": round(ordered[len(ordered) // 2], 4),
            "p99_s": round(ordered[int(len(ordered) * 0.99)], 4),
            "longest_s": round(ordered[-1], 4),
        }


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Return an answer's status and whether the connection stays; raise when it is cut short."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split(" ", 2)[1])
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        await _read_chunks(reader)
    return status, headers.get("connection") != "close"


async def _read_chunks(reader: asyncio.StreamReader) -> None:
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


async def one_request(path: str, tally: Tally) -> None:
    """Send one request on a connection of its own."""
    began = time.monotonic()
    tally.sent += 1
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(HOST, PORT)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                status, _ = await read_answer(reader)
            finally:
                writer.close()
        tally.answered(path, status, time.monotonic() - began)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        tally.failed(path, f"{type(error).__name__}: {error} after {time.monotonic() - began:.2f} s")


async def kept_client(tally: Tally, stop: asyncio.Event) -> None:
    """Send requests over one connection, opened anew when the server closed it."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not stop.is_set():
        began = time.monotonic()
        tally.kept_sent += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection, status = await _over_kept(connection, first=True)
            tally.answered("/healthz", status, time.monotonic() - began)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            connection = None
            tally.failed("/healthz", f"kept connection: {type(error).__name__}: {error}")
        await asyncio.sleep(KEPT_PAUSE_S)
    if connection:
        connection[1].close()


async def _over_kept(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None, *, first: bool
) -> tuple[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None, int]:
    reused = connection is not None
    reader, writer = connection or await asyncio.open_connection(HOST, PORT)
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, stays = await read_answer(reader)
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        writer.close()
        # Closed while idle: not one byte came, so the request was not taken; a client sends it again.
        if first and reused and not getattr(error, "partial", b""):
            return await _over_kept(None, first=False)
        raise
    if stays:
        return (reader, writer), status
    writer.close()
    return None, status


async def load(rate: float) -> Tally:
    """Keep the load up until SIGTERM, then wait for the answers under way."""
    stop, tally = asyncio.Event(), Tally()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    kept = [asyncio.create_task(kept_client(tally, stop)) for _ in range(KEPT_CLIENTS)]
    under_way: set[asyncio.Task[None]] = set()
    due, number = time.monotonic(), 0
    while not stop.is_set():
        task = asyncio.create_task(one_request(PATHS[number % len(PATHS)], tally))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        number += 1
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*under_way, *kept)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--report", type=Path, required=True)
    asked = parser.parse_args()
    asked.report.write_text(json.dumps(asyncio.run(load(asked.rate)).report(), indent=1))


if __name__ == "__main__":
    main()
