"""Opening the store: one writer under the lock, readers on the published copy."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from portfolio.store.engine import attach, engine, failed_in_use, live_path
from portfolio.store.lock import writer_lock
from portfolio.store.schema import ensure_kind, ensure_not_newer, ensure_not_older, known_schema, read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.store.schema import Kind


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; every function of this package that reads or appends takes it first."""

    connection: duckdb.DuckDBPyConnection
    path: Path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is done inside visible as a whole, or not at all."""
        self.connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")


def published_path(path: Path) -> Path:
    """Return the read copy that belongs to a live file."""
    path = live_path(path)
    return path.with_name(f"{path.stem}.published{path.suffix or '.duckdb'}")


@contextmanager
def open_writer(path: Path, kind: Kind, wait_s: float = 0.0) -> Iterator[Store]:
    """Open the live file as the only writer.

    Raises StoreBusyError when another process writes, StoreError when the file is missing, damaged, foreign, of
    another schema or of the other kind. While it is open no code of this process may open the file itself.
    """
    live = live_path(path)
    with writer_lock(live, wait_s), _opened(live, kind, read_only=False) as store:
        yield store
        store.connection.execute("CHECKPOINT store")  # a closed store has no write-ahead log to replay


@contextmanager
def open_reader(path: Path, kind: Kind) -> Iterator[Store]:
    """Open the published copy of the live file at `path`, read-only; it takes no lock and disturbs nobody."""
    with _opened(published_path(path), kind, read_only=True) as store:
        yield store


@contextmanager
def _opened(path: Path, kind: Kind, *, read_only: bool) -> Iterator[Store]:
    with engine(path) as connection:
        attach(connection, path, read_only=read_only)
        try:
            identity = read_identity(connection, path)
            ensure_kind(identity, kind, path)
            ensure_not_newer(identity, known_schema(), path)
            ensure_not_older(identity, known_schema(), path, published=read_only)
            yield Store(connection, path)
        except duckdb.Error as error:
            explained = failed_in_use(path, error, read_only=read_only)
            if explained:
                raise explained from error
            raise
