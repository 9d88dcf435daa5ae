"""What lies on the disk: the live store's file, the room left, and what killed processes left behind."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from portfolio.health.verdict import Check, Status
from portfolio.store.engine import live_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

HEAD_BYTES, MAGIC = 12, b"DUCK"  # a DuckDB file has its name in bytes 8 to 12
DISK_LOW = 1_000_000_000  # bytes: a few backups' room
DISK_FULL = 100_000_000  # bytes: the next write may fail
# What is written aside and renamed when whole; only a killed process leaves it.
UNFINISHED = ("*.building", "*.building.wal", "*.spill", "report/.*.part", "status/.*.part", "models/.unfinished-*")
LEFT_S = 86_400  # a day: nothing of ours writes that long
MUCH = 100_000_000  # bytes: more than a few crashes leave


def check_live(path: Path) -> Check:
    """Look at the live file itself: the other checks read its published copy.

    Only its first bytes: this process has no connection to it whose lock an open could drop.
    """
    try:
        with live_path(path).open("rb") as file:
            whole = file.read(HEAD_BYTES)[-len(MAGIC) :] == MAGIC
        seen = f"{path.name}, {live_path(path).stat().st_size / 1e6:.1f} MB" if whole else f"{path} is no DuckDB file"
    except OSError as error:
        whole, seen = False, f"{path} cannot be read ({error.strerror})"
    to_do = (
        "" if whole else "`portfolio run` says what to do; the published copy beside it still has the ledger and log"
    )
    return Check("live store", Status.HEALTHY if whole else Status.UNHEALTHY, seen, to_do)


def check_disks(store: Path, backups: Path) -> tuple[Check, ...]:
    """Look at the room left where the store is and, when that is another disk, where its backups go."""
    first = check_disk(store)
    try:
        elsewhere = _existing(store).stat().st_dev != _existing(backups).stat().st_dev
    except OSError:
        elsewhere = True  # the check itself says what is wrong there
    return (first, check_disk(backups / "any", "backup disk")) if elsewhere else (first,)


def check_disk(path: Path, name: str = "disk") -> Check:
    """Look at the room left where a file is or will be."""
    try:
        free = shutil.disk_usage(_existing(path)).free
    except OSError as error:
        return Check(name, Status.UNHEALTHY, f"{error.filename}: {error.strerror}", "mend the rights, or DATA_DIR")
    status = Status.UNHEALTHY if free < DISK_FULL else Status.DEGRADED if free < DISK_LOW else Status.HEALTHY
    return Check(name, status, f"{free / 1e9:.1f} GB free", "make room" if status else "")


def _existing(path: Path) -> Path:
    return next((parent for parent in path.parents if parent.exists()), path.parents[-1])


def check_leftovers(folder: Path, now: datetime) -> Check:
    """Look at what processes that were killed had not finished; it is in nobody's way until it is much."""
    left = [path for path in _unfinished(folder) if _age_s(path, now) > LEFT_S]
    size = sum(_bytes(path) for path in left)
    if not left:
        return Check("leftovers", Status.HEALTHY, "none")
    seen = f"{len(left)} unfinished, {size / 1e6:.1f} MB, the first {left[0]}"
    status = Status.DEGRADED if size > MUCH else Status.HEALTHY
    return Check("leftovers", status, seen, "of processes that were killed: delete them")


def _unfinished(folder: Path) -> Iterator[Path]:
    return (path for pattern in UNFINISHED for path in sorted(folder.glob(pattern)))


def _age_s(path: Path, now: datetime) -> float:
    try:
        return now.timestamp() - path.lstat().st_mtime
    except OSError:  # gone since it was listed: its writer has finished
        return 0.0


def _bytes(path: Path) -> int:
    try:
        return sum(_bytes(inside) for inside in path.iterdir()) if path.is_dir() else path.lstat().st_size
    except OSError:
        return 0
