"""What backups need of a store's file: its contents counted, and a copy that nobody else knows opened to write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from portfolio.store.connection import Store
from portfolio.store.contents import Contents
from portfolio.store.engine import attach, engine, translated
from portfolio.store.schema import read_identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STORAGE_VERSION = "SELECT rtrim(tags['storage_version'], '+') FROM duckdb_databases() WHERE database_name = 'store'"
_MADE_AT = "SELECT value FROM core.meta WHERE key = 'created_at'"
_COUNTS = """
SELECT schema_name || '.' || table_name, format('SELECT count(*) FROM "{}"."{}"', schema_name, table_name)
FROM duckdb_tables() WHERE database_name = 'store' ORDER BY ALL
"""
_NEWEST_SESSION = "SELECT max(session) FROM out.run_starts"
_ROLES = "SELECT role, model_id FROM out.promotions ORDER BY seq"


def read_contents(path: Path, mend: str) -> Contents:
    """Open a file read-only, whatever its schema, and tell what it holds; `mend` says what to do when it cannot be.

    Raises StoreBusyError when another program writes it, ForeignStoreError when it is not ours, StoreError when it
    is damaged.
    """
    with engine(path) as connection:
        attach(connection, path, read_only=True, mend=mend)
        try:
            identity = read_identity(connection, path)
            return Contents(
                store_id=_value(connection, _MADE_AT),
                kind=identity.kind,
                schema=identity.schema,
                min_reader=identity.min_reader,
                release=identity.release,
                storage_version=_value(connection, _STORAGE_VERSION),
                newest_session=_value(connection, _NEWEST_SESSION),
                rows=count_rows(connection),
                roles=_roles(connection),
            )
        except duckdb.Error as error:
            raise translated(path, error, read_only=True, mend=mend) from error


def read_store_id(store: Store) -> str:
    """Read what an open store and its copies share, and no other store has: the instant it was first made."""
    return _value(store.connection, _MADE_AT)


def count_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count the rows of every table of an opened store."""
    return {table: _value(connection, count) for table, count in connection.execute(_COUNTS).fetchall()}


@contextmanager
def open_aside(path: Path) -> Iterator[Store]:
    """Open a copy to write that only the caller knows, so that no lock is needed; it is left checkpointed."""
    with engine(path) as connection:
        attach(connection, path, read_only=False)
        try:
            yield Store(connection, path)
            connection.execute("CHECKPOINT store")
        except duckdb.Error as error:
            raise translated(path, error, read_only=False) from error


def fold_wal(path: Path) -> None:
    """Bring what a killed writer left in the write-ahead log into the live file; the writer's lock is held."""
    with open_aside(path):
        pass  # replayed when opened, checkpointed when left


def _value(connection: duckdb.DuckDBPyConnection, query: str) -> Any:  # noqa: ANN401  # whatever the column holds
    return connection.execute(query).fetchall()[0][0]


def _roles(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    roles: dict[str, str] = {}
    for role, model_id in connection.execute(_ROLES).fetchall():
        if role == "champion" and "champion" in roles:
            roles["previous"] = roles["champion"]
        roles[role] = model_id
    return roles
