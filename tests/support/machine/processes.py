"""The machine's processes, found by what they are: a note of their ids may be missing after an interruption."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.commands import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine.place import Place


def keepers(at: Place) -> list[int]:
    """Return the ids of the processes that keep this machine running: those that restart it."""
    return _with_arguments("tests.support.machine", "keep", at.name)


def hulls(at: Place) -> list[int]:
    """Return the ids of systemd-nspawn processes of this machine."""
    return _with_arguments(f"--machine={at.name}")


def builders(at: Place) -> list[int]:
    """Return the ids of processes at work on this machine's folder, an interrupted `up` and what it had started."""
    own = {os.getpid(), os.getppid()}
    making = set(_with_arguments("tests.support.machine", "up", at.name))
    return sorted((making | set(_naming(str(at.folder)))) - own - set(hulls(at)))


def inside(at: Place) -> list[int]:
    """Return the ids of all processes in the machine, in this host's counting."""
    if not Path("/run/netns", at.name).exists():
        return []
    return [int(word) for word in run("ip", "netns", "pids", at.name).split()]


def kill_all(pids: list[int], how: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to processes, some of which may have ended meanwhile."""
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue


def wait_gone(at: Place, seconds: float) -> bool:
    """Wait until nothing of the machine runs; tell whether that came true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not (hulls(at) or inside(at)):
            return True
        time.sleep(0.1)
    return False


def _with_arguments(*wanted: str) -> list[int]:
    return [pid for pid, arguments in _running() if set(wanted) <= set(arguments) and pid != os.getpid()]


def _naming(folder: str) -> list[int]:
    inner = (f"{folder}/", f"{folder}\0")
    return [pid for pid, arguments in _running() if any(f"{word}\0".startswith(inner) for word in arguments)]


def _running() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
