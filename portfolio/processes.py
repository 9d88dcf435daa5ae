"""Processes of this machine: whether one that left its number behind is still the same one."""

from __future__ import annotations

import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STATE, BEGUN = 0, 19  # places behind the command's closing bracket: proc(5), fields 3 and 22
UNTOLD = "-"
ENDED = frozenset("ZXx")  # ended, though nobody has asked how yet


def is_alive(pid: int) -> bool:
    """Tell whether a process with this number runs, whoever owns it."""
    if pid <= 0:  # to the kernel these are groups of processes, ours among them
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    fields = _fields(pid)
    return not fields or fields[STATE] not in ENDED


def birth_of(pid: int) -> str:
    """Return what tells a process from a later one with its number: the boot, and when in it it began.

    Empty where the system does not say (no /proc, or the process has gone). A sandbox may hide which boot it is
    (`ProcSubset=pid`): then UNTOLD stands in its place.
    """
    fields = _fields(pid)
    return f"{_boot()} {fields[BEGUN]}" if fields and fields[STATE] not in ENDED else ""


def is_same_birth(one: str, other: str) -> bool:
    """Compare two births that `birth_of` told, by as much as both of them say."""
    (boot, _, begun), (other_boot, _, other_begun) = one.rpartition(" "), other.rpartition(" ")
    return begun == other_begun and (boot == other_boot or UNTOLD in {boot, other_boot})


def _boot() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return UNTOLD


def _fields(pid: int) -> list[str]:
    try:
        # A command's name may hold spaces and brackets: what is fixed begins behind its last bracket.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
