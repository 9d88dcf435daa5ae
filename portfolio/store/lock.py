"""The writer's lock: one flock beside the database file is the truth about who writes."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.errors import StoreBusyError, StoreError
from portfolio.processes import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_S = 0.05  # a writer holds the lock for seconds: nobody notices a twentieth of one
HANDED_OVER = "PORTFOLIO_LOCK_FD"  # the number of an open lock file that a process inherits from the lock's holder
OWNER_ONLY = 0o600  # whoever may open a lock may hold it
COMMAND_SHOWN = 200  # characters of a command line kept in the lock file


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who says they hold the lock; only a hint, the flock itself is the truth."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        """Name the holder for a message."""
        return f"process {self.pid} ({self.command}), since {self.since}"


def lock_path(path: Path) -> Path:
    """Return the lock file of a store, which is never the database file itself."""
    return path.with_name(f"{path.name}.lock")


def read_holder(path: Path) -> LockHolder | None:
    """Read who holds the store's lock, None when nobody living has written it down."""
    try:
        holder = LockHolder(**json.loads(lock_path(path).read_text("utf-8")))
        return holder if is_alive(holder.pid) else None
    except (OSError, ValueError, TypeError):  # no file, or text that nobody of ours has finished writing
        return None


def may_be_held(path: Path) -> bool:
    """Tell whether somebody may hold the store's lock: who may not look at it cannot say that nobody does."""
    return read_holder(path) is not None or (lock_path(path).exists() and not os.access(lock_path(path), os.R_OK))


@contextmanager
def writer_lock(path: Path, wait_s: float = 0.0) -> Iterator[int]:
    """Hold the store's lock; raises StoreBusyError naming the holder when it isn't free within `wait_s` seconds.

    Yields the lock file's descriptor: a child that inherits it, and finds its number in PORTFOLIO_LOCK_FD, writes under
    the same lock, and the lock lives as long as either of the two.
    """
    handed = _handed_over(lock_path(path))
    if handed is not None:
        _acquire(handed, path, wait_s)  # had at once: it is the same open file as its holder's
        yield handed
        return
    descriptor = _opened(lock_path(path))
    try:
        _acquire(descriptor, path, wait_s)
        _write_down(descriptor, json.dumps(asdict(_ourselves())))
        try:
            yield descriptor
        finally:
            _write_down(descriptor, "")
    finally:
        os.close(descriptor)  # closing releases the flock; the kernel does the same for a killed process


def _handed_over(lock_file: Path) -> int | None:
    """Return the inherited descriptor of this very lock file, None when there is none or it is another file's."""
    try:
        descriptor = int(os.environ[HANDED_OVER])
        handed, here = os.fstat(descriptor), lock_file.stat()
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    return descriptor if (handed.st_dev, handed.st_ino) == (here.st_dev, here.st_ino) else None


def _opened(lock_file: Path) -> int:
    try:
        # Root takes the lock too, while a release switches: no link of somebody's leads it to another file.
        descriptor = os.open(
            lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, OWNER_ONLY
        )
    except OSError as error:
        message = (
            f"The store's lock file {lock_file} cannot be opened ({error.strerror}): writing needs a folder that "
            "exists and is writable. Make it, or set DATA_DIR or DUCKDB_FILE to another place."
        )
        raise StoreError(message) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        message = f"The store's lock file {lock_file} must be a file of its own, no link and no pipe: remove it."
        raise StoreError(message)
    if found.st_uid == os.geteuid():  # the web service is in the group of its owner
        os.fchmod(descriptor, OWNER_ONLY)
    return descriptor


def _acquire(descriptor: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise StoreBusyError(_busy_message(path, wait_s)) from error
            time.sleep(min(POLL_S, left_s))
        else:
            return


def _busy_message(path: Path, wait_s: float) -> str:
    holder = read_holder(path) or "a process that has not written its name down yet"
    waited = f" after waiting {wait_s:g} s" if wait_s else ""
    return (
        f"The store {path} is being written by {holder}; one process writes at a time. Still busy{waited}: "
        "run again when it has ended, or wait for it with --wait SECONDS."
    )


def _ourselves() -> LockHolder:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:COMMAND_SHOWN]
    return LockHolder(os.getpid(), command, datetime.now(UTC).isoformat(timespec="seconds"))


def _write_down(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
