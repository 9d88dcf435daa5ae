"""A whole copy of an open store, made inside DuckDB: the one way to copy it without losing its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.store.engine import attach_new, sync, wal_path

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.store.connection import Store


def copy_store(store: Store, path: Path) -> None:
    """Copy the store, as it stands, into a new file in the pinned storage version, and force that to the disk.

    What a killed copier left under the name is removed; the name is the caller's own, under a lock it holds.
    """
    for leftover in (path, wal_path(path)):
        leftover.unlink(missing_ok=True)
    attach_new(store.connection, path, "copied")
    try:
        store.connection.execute("COPY FROM DATABASE store TO copied")
        store.connection.execute("CHECKPOINT copied")
    finally:
        store.connection.execute("DETACH copied")
    sync(path)
