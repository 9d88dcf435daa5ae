"""What the file is and which releases may use it.

The schema's number is the number of its newest migration. `min_reader` of a migration is the oldest schema number
whose code can still read and write the result: a store at schema 3 whose migrations ask for at most 2 serves a
release that knows schema 2, so that rolling back code strands no data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

import duckdb

from portfolio.errors import ForeignStoreError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION = "financeportfolio"
Kind = Literal["sample", "live"]

_FILE_NAME = re.compile(r"^(\d{4})_(\w+)\.sql$")
_MIN_READER = re.compile(r"^-- min_reader: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    min_reader: int
    sql: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a store says of itself; `min_reader` is the greatest of its migrations."""

    application: str
    kind: str
    schema: int
    min_reader: int
    release: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What migrating a store would do: from which schema to which, and the oldest schema that could read the result.

    `current` is None when there is no store yet: there is nothing to migrate, and the first run makes one.
    """

    current: int | None
    wanted: int
    pending: tuple[str, ...]
    min_reader: int
    can_read: bool


@lru_cache(maxsize=1)
def packaged_migrations() -> tuple[Migration, ...]:
    """Read the migrations that this release carries, in order."""
    folder = resources.files("portfolio.store").joinpath("migrations")
    found = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if _FILE_NAME.match(entry.name)}
    return tuple(_parsed(name, sql) for name, sql in sorted(found.items()))


def _parsed(file_name: str, sql: str) -> Migration:
    name, min_reader = _FILE_NAME.match(file_name), _MIN_READER.search(sql)
    if name is None or min_reader is None:
        message = f"Migration {file_name} must be named NNNN_name.sql and carry a line '-- min_reader: N'."
        raise ValueError(message)
    return Migration(int(name[1]), name[2], int(min_reader[1]), sql)


def known_schema() -> int:
    """Return the schema number that this release writes."""
    return packaged_migrations()[-1].version


def read_identity(connection: duckdb.DuckDBPyConnection, path: Path) -> Identity:
    """Read what the opened store says of itself; raises StoreError when it isn't ours or cannot be read."""
    try:
        meta = dict(connection.execute("SELECT key, value FROM core.meta").fetchall())
        steps = connection.execute(
            "SELECT version, min_reader, release FROM core.migrations ORDER BY version"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ForeignStoreError(_foreign_message(path, "it has no core.meta and core.migrations of ours")) from error
    if meta.get("application") != APPLICATION:
        raise ForeignStoreError(_foreign_message(path, f"its application is {meta.get('application')!r}"))
    newest = steps[-1] if steps else (0, 0, "unknown")
    min_reader = max((step[1] for step in steps), default=0)
    return Identity(meta["application"], meta.get("kind", "unknown"), newest[0], min_reader, newest[2])


def _foreign_message(path: Path, seen: str) -> str:
    return (
        f"{path} is a DuckDB file of another program: {seen}, and a store of ours has both. It was left as it is; "
        "set DUCKDB_FILE to another path, or move that file away yourself."
    )


def ensure_kind(identity: Identity, kind: str, path: Path) -> None:
    """Refuse a sample store where a live one is wanted, and the reverse: their rows must never mix."""
    if identity.kind != kind:
        message = (
            f"The store {path} holds {identity.kind} data and {kind} data was asked for; sample and live never share a "
            f"store. Use --source {identity.kind}, or set DUCKDB_FILE or DATA_DIR to another place."
        )
        raise StoreError(message)


def ensure_not_newer(identity: Identity, known: int, path: Path) -> None:
    """Refuse a store that asks for a newer release than this one."""
    if identity.min_reader > known:
        message = (
            f"The store {path} is at schema {identity.schema} (written by release {identity.release}), which needs a "
            f"release that knows schema {identity.min_reader}; this one knows {known}. Start the newer release, or "
            f"restore a copy made before that migration ({path.stem}.before-*{path.suffix}) or a backup."
        )
        raise StoreError(message)


def ensure_not_older(identity: Identity, known: int, path: Path, *, published: bool = False) -> None:
    """Refuse a store that has not been migrated to this release's schema yet."""
    if identity.schema < known:
        message = (
            f"The store {path} is at schema {identity.schema} and this release works on schema {known}; "
            f"migrating is never done unasked. Run: portfolio migrate{'; portfolio publish' if published else ''}"
        )
        raise StoreError(message)
