"""A reading kept while what it was read from stays the same: fifty requests a second cost one reading."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The newest value of one kind; those who ask while it is read wait for that reading and take no thread."""

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self._kept: tuple[Hashable, float, Value] | None = None
        self._reading = asyncio.Lock()

    async def get(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """Return the value of that key, read anew, in a thread, when the kept one is of another key or too old."""
        async with self._reading:
            kept = self._kept
            if kept and kept[0] == key and time.monotonic() - kept[1] < self._for_s:
                return kept[2]
            value = await asyncio.to_thread(read)
            self._kept = (key, time.monotonic(), value)
            return value


def identity_of(path: Path) -> Hashable:
    """Return what differs once a file was replaced or written to; None when it cannot be looked at."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


def identity_of_folder(folder: Path, pattern: str) -> Hashable:
    """Return what differs once any file of that pattern came, went, or was replaced."""
    return tuple((path.name, identity_of(path)) for path in sorted(folder.glob(pattern)))
