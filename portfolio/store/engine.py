"""How DuckDB is started and a file attached to it: settings, storage version, and its errors in our words.

Each connection is an engine of its own, in memory, to which the file is attached under a constant name. So a file
may have any name ("core.duckdb" would hide our schema `core`), and a reader that reopens a published copy gets the
new file even while an older reader still holds the replaced one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from portfolio.errors import NewerStoreError, PortfolioError, StoreBusyError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

# Readable by DuckDB 1.4, 1.5 and 2.0: docs/decisions/0002-duckdb-line-and-storage-version.md.
STORAGE_VERSION = "v1.4.0"
ENGINE_VERSION = duckdb.__version__

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # measured equal to 2 on our sizes, and a busy two-core host has no second one to give
    "memory_limit": "512MB",  # of a 2 GB host; a year's work needs about a tenth
    "autoinstall_known_extensions": False,  # nothing is fetched from the network
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a misspelt table never becomes a Python variable
}
_WAL_START = bytes.fromhex("640062")  # field 100, entry type 98: the version entry that opens every WAL since 1.0
_HEADERS = 3 * 4096  # bytes before a file's first block
_COMMIT_FAILED = "Failed to commit: Could not"  # write the file, sync it, lock it: a TransactionException to DuckDB
_CONFLICTING_LOCK = "Could not set lock on file"
_NEWER_FORMAT = "database file with version number"
_MEND_LIVE = (
    "It was left as it is: check the disk, then restore a backup (`portfolio restore`, which keeps the damaged store "
    "aside), or put a copy of the published file in its place, which has the ledger and the log as published last."
)
_MEND_COPY = "It is only a copy for readers: run `portfolio publish` to make it again from the live store."


def engine(path: Path) -> duckdb.DuckDBPyConnection:
    """Start an engine with nothing attached; whatever spills goes beside the given file."""
    connection = duckdb.connect(":memory:", config={**_SETTINGS, "temp_directory": f"{path}.spill"})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def attach(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool, mend: str | None = None) -> None:
    """Attach a store's file under the name `store` and use it: the published copy read-only, the live file to write.

    `mend` says what to do when the file cannot be used and is neither of these two.
    """
    mend = mend or _mend(read_only=read_only)
    _ensure_file_present(path, mend)
    _ensure_wal_plausible(path, mend)
    replayed = wal_path(path).exists()
    access = "READ_ONLY" if read_only else "READ_WRITE"
    try:
        connection.execute(f"ATTACH {_quoted(path)} AS store ({access})")
        connection.execute("USE store")
    except duckdb.Error as error:
        raise translated(path, error, read_only=read_only, mend=mend) from error
    if not replayed:  # a replay may have reserved blocks that the file gets at the next checkpoint
        _ensure_whole(connection, path, mend)


def attach_new(connection: duckdb.DuckDBPyConnection, path: Path, name: str = "store") -> None:
    """Attach a file that does not exist yet, in the pinned storage version."""
    connection.execute(f"ATTACH {_quoted(path)} AS {name} (STORAGE_VERSION '{STORAGE_VERSION}')")


def failed_in_use(path: Path, error: duckdb.Error, *, read_only: bool) -> PortfolioError | None:
    """Put a failure that an open store met on the disk into our words; None when the error is a bug of ours."""
    text = str(error)
    if "Corrupt" in text or "Could not read" in text:
        return translated(path, error, read_only=read_only)
    if isinstance(error, (duckdb.IOException, duckdb.FatalException)) or _COMMIT_FAILED in text:
        message = (
            f"The store {path} failed while in use: {_first_line(text)}. What was committed before is kept, the rest "
            "undone. Check the disk's free space and the folder's rights, then run again."
        )
        return StoreError(message)
    return None


def live_path(path: Path) -> Path:
    """Return the file a name leads to, so that every name of it has the same lock and a link is never replaced."""
    return path.resolve()


def wal_path(path: Path) -> Path:
    """Return the file in which DuckDB keeps what a killed writer had committed but not yet checkpointed."""
    return path.with_name(f"{path.name}.wal")


def translated(
    path: Path, error: duckdb.Error, *, read_only: bool, mend: str | None = None
) -> StoreError | StoreBusyError:
    """Put a failure of the file underneath a store into our words."""
    text = str(error)
    if _CONFLICTING_LOCK in text:
        message = (
            f"The store's file {path} is open in another program ({_first_line(text)}); one process writes at a time. "
            "Close that program, or let it read the published copy instead, and run again."
        )
        return StoreBusyError(message)
    kind = NewerStoreError if _NEWER_FORMAT in text else StoreError
    return kind(_unusable_message(path, text, mend or _mend(read_only=read_only)))


def _mend(*, read_only: bool) -> str:
    return _MEND_COPY if read_only else _MEND_LIVE


def _quoted(path: Path) -> str:
    # ATTACH takes no parameter; a doubled quote is the whole of SQL's escaping inside a literal.
    return "'" + str(path).replace("'", "''") + "'"


def _ensure_file_present(path: Path, mend: str) -> None:
    # Only looked at, never opened: closing a second descriptor would drop DuckDB's own lock on the file.
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        message = f"There is no store at {path}: it is made by the first `portfolio run` or `portfolio update`."
        raise StoreError(message) from error
    except OSError as error:
        message = (
            f"The store {path} cannot be looked at ({error.strerror}): check DATA_DIR, DUCKDB_FILE and their rights."
        )
        raise StoreError(message) from error
    if not path.is_file() or not size:
        raise StoreError(_unusable_message(path, "an empty file" if path.is_file() else "not a regular file", mend))


def _ensure_wal_plausible(path: Path, mend: str) -> None:
    # DuckDB takes a WAL whose first entry it cannot read for a torn one and drops the whole of it without a word.
    try:
        with wal_path(path).open("rb") as wal:
            start = wal.read(len(_WAL_START))
    except FileNotFoundError:
        return
    if len(start) == len(_WAL_START) and start != _WAL_START:
        raise StoreError(_unusable_message(path, f"{wal_path(path).name} doesn't start like a write-ahead log", mend))


def _ensure_whole(connection: duckdb.DuckDBPyConnection, path: Path, mend: str) -> None:
    # DuckDB notices a missing end only when a query needs it, which may be after more has been written. Used blocks,
    # not all: free ones at the end are cut off after the header that still counts them was written.
    blocks = connection.execute(
        "SELECT block_size * used_blocks FROM pragma_database_size() WHERE database_name = 'store'"
    )
    needed, seen = _HEADERS + blocks.fetchall()[0][0], path.stat().st_size
    if seen < needed:
        raise StoreError(_unusable_message(path, f"its end is missing, {seen} bytes of {needed}", mend))


def _unusable_message(path: Path, seen: str, mend: str) -> str:
    return (
        f"The store {path} cannot be used: {_first_line(seen)}. A store is a whole DuckDB file, with its .wal when it "
        f"has one, on a disk with free space. {mend}"
    )


def _first_line(text: str) -> str:
    return text.split("\n", maxsplit=1)[0].rstrip(". ")


def sync(path: Path) -> None:
    """Force a closed file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
