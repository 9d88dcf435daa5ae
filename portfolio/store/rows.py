"""Records in and out of tables: plain Python values, no pandas."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from duckdb import DuckDBPyConnection

    Record = TypeVar("Record", bound=DataclassInstance)


def parameters(record: DataclassInstance) -> dict[str, Any]:
    """Return a record's fields as the named parameters of a statement."""
    values = asdict(record)
    for name, value in values.items():
        if isinstance(value, datetime):
            ensure_aware(f"{type(record).__name__}.{name}", value)
    return values


def ensure_aware(name: str, instant: datetime) -> None:
    """Refuse an instant without a zone, which DuckDB would take for UTC without a word."""
    if instant.tzinfo is None:
        message = f"{name} is {instant.isoformat()}: instants are aware, give it a time zone."
        raise ValueError(message)


def records(found: DuckDBPyConnection, kind: type[Record], limit: int | None = None) -> list[Record]:
    """Build records from a query whose columns stand in the order of the record's fields."""
    rows = found.fetchall() if limit is None else found.fetchmany(limit)
    return [kind(*(_plain(value) for value in row)) for row in rows]


def first(found: DuckDBPyConnection, kind: type[Record]) -> Record | None:
    """Build the record of a query's first row, None when there is none."""
    return next(iter(records(found, kind, 1)), None)


def _plain(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
