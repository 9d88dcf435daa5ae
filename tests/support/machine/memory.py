"""The machine's memory while something goes on, each shared page counted once (PSS)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.processes import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine.place import Place

EVERY_S = 2.0
KB_IN_MB = 1024


@dataclass(slots=True)
class Peak:
    """The most that was seen, and how often it was looked."""

    megabytes: int = 0
    looks: int = 0


@contextmanager
def peak_memory(at: Place) -> Iterator[Peak]:
    """Look every two seconds, from this side: it costs the machine nothing but the time to count."""
    seen, done = Peak(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(at, seen, done), daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _watch(at: Place, seen: Peak, done: threading.Event) -> None:
    while not done.wait(EVERY_S):
        seen.megabytes = max(seen.megabytes, sum(map(_pss_kb, _of_machine(at))) // KB_IN_MB)
        seen.looks += 1


def _of_machine(at: Place) -> list[int]:
    """Leave out programs of this host that only stepped into the machine's network."""
    host = _namespace("self")
    return [pid for pid in inside(at) if _namespace(str(pid)) not in {host, 0}]


def _namespace(pid: str) -> int:
    try:
        return Path("/proc", pid, "ns", "pid").stat().st_ino
    except OSError:  # ended meanwhile
        return 0


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:  # ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
