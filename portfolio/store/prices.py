"""Observations, point in time: batches in, what was known at an instant out.

docs/decisions/0003-point-in-time-rows.md says why a version has two coordinates.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.store.rows import ensure_aware, parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date, datetime

    from pandas import DataFrame

    from portfolio.sources.checks import CheckedBatch
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Known:
    """A place in knowledge: rows available at `cutoff` (aware UTC) in batches up to `batch_id`."""

    cutoff: datetime
    batch_id: int


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """What became of a batch: rows delivered and believed; stored as new, corrected or renewed; newly quarantined."""

    batch_id: int
    rows_in: int
    rows_new: int
    rows_quarantined: int


# Each statement takes the greatest stored version of every incoming key, and inserts the rows that have none
# (nominal available_at) or differ from it in any field but available_at (then not known before they were fetched).
# A price that was doubted after its newest version is a new version too, be it equal: believing it again is news.
_INSERT_PRICES = """
INSERT INTO raw.prices BY NAME
WITH doubted AS (
    SELECT symbol, observed_on, max(batch_id) AS batch_id FROM raw.quarantine WHERE kind = 'price' GROUP BY ALL
)
SELECT DISTINCT i.symbol, i.observed_on, $batch_id AS batch_id, i.open, i.high, i.low, i.close, i.volume,
       i.currency, i.basis,
       CASE WHEN k.symbol IS NULL THEN i.available_at ELSE greatest(i.available_at, $fetched_at) END AS available_at
FROM (SELECT * REPLACE (observed_on::DATE AS observed_on) FROM incoming) AS i
LEFT JOIN core.prices AS k ON k.symbol = i.symbol AND k.observed_on = i.observed_on
LEFT JOIN doubted AS d ON d.symbol = i.symbol AND d.observed_on = i.observed_on
WHERE k.symbol IS NULL OR (i.open, i.high, i.low, i.close, i.volume, i.currency, i.basis)
      IS DISTINCT FROM (k.open, k.high, k.low, k.close, k.volume, k.currency, k.basis) OR d.batch_id > k.batch_id
ORDER BY i.symbol, i.observed_on
"""
_INSERT_ACTIONS = """
INSERT INTO raw.actions BY NAME
SELECT DISTINCT i.symbol, i.observed_on, i.kind, $batch_id AS batch_id, i.value,
       CASE WHEN k.symbol IS NULL THEN i.available_at ELSE greatest(i.available_at, $fetched_at) END AS available_at
FROM (SELECT * REPLACE (observed_on::DATE AS observed_on) FROM incoming) AS i
LEFT JOIN core.actions AS k ON k.symbol = i.symbol AND k.observed_on = i.observed_on AND k.kind = i.kind
WHERE k.symbol IS NULL OR i.value IS DISTINCT FROM k.value
ORDER BY i.symbol, i.observed_on, i.kind
"""
_INSERT_MACRO = """
INSERT INTO raw.macro BY NAME
SELECT DISTINCT i.series, i.observed_on, $batch_id AS batch_id, i.value,
       CASE WHEN k.series IS NULL THEN i.available_at ELSE greatest(i.available_at, $fetched_at) END AS available_at
FROM (SELECT * REPLACE (observed_on::DATE AS observed_on) FROM incoming) AS i
LEFT JOIN core.macro AS k ON k.series = i.series AND k.observed_on = i.observed_on
WHERE k.series IS NULL OR i.value IS DISTINCT FROM k.value
ORDER BY i.series, i.observed_on
"""
# A row that contradicts one believed earlier throws doubt on it from the fetch on, not before. One that was told
# before is not told again, unless its day was believed since; a day that this very batch believes is in no doubt.
_INSERT_QUARANTINE = """
INSERT INTO raw.quarantine BY NAME
WITH believed AS (
    SELECT 'price' AS kind, symbol, observed_on FROM raw.prices WHERE batch_id < $batch_id
    UNION ALL SELECT 'action', symbol, observed_on FROM raw.actions WHERE batch_id < $batch_id
    UNION ALL SELECT 'macro', series, observed_on FROM raw.macro WHERE batch_id < $batch_id
), told AS (
    SELECT q.kind, q.symbol, q.observed_on, q.rule, q.payload
    FROM raw.quarantine AS q
    LEFT JOIN core.prices AS p ON q.kind = 'price' AND p.symbol = q.symbol AND p.observed_on = q.observed_on
    WHERE p.symbol IS NULL OR q.batch_id > p.batch_id
          OR (q.symbol, q.observed_on) IN (SELECT (symbol, observed_on::DATE) FROM arriving)
)
SELECT DISTINCT i.kind, i.symbol, i.observed_on, i.rule, $batch_id AS batch_id, i.severity, i.message, i.payload,
       CASE WHEN EXISTS (
           SELECT 1 FROM believed AS b
           WHERE b.kind = i.kind AND b.symbol = i.symbol AND b.observed_on = i.observed_on
       ) THEN greatest(i.available_at, $fetched_at) ELSE i.available_at END AS available_at
FROM (SELECT * REPLACE (observed_on::DATE AS observed_on) FROM incoming) AS i
WHERE NOT EXISTS (
    SELECT 1 FROM told AS k
    WHERE k.kind = i.kind AND k.symbol = i.symbol AND k.rule = i.rule AND k.payload = i.payload
          AND k.observed_on IS NOT DISTINCT FROM i.observed_on
)
ORDER BY ALL
"""
_INSERT_BATCH = """
INSERT INTO raw.batches
VALUES ($batch_id, $run_id, $source, $fetched_at, $rows_in, $rows_new, $rows_quarantined)
"""

# Instants leave as wall clock in UTC: DuckDB's own hand-over of TIMESTAMPTZ to pandas 3 raises a deprecation.
_READ_PRICES = """
SELECT * REPLACE (available_at AT TIME ZONE 'UTC' AS available_at, fetched_at AT TIME ZONE 'UTC' AS fetched_at)
FROM core.prices_known($cutoff, $batch_id)
WHERE $symbols IS NULL OR list_contains($symbols, symbol)
ORDER BY symbol, observed_on
"""
_READ_ACTIONS = """
SELECT * REPLACE (available_at AT TIME ZONE 'UTC' AS available_at, fetched_at AT TIME ZONE 'UTC' AS fetched_at)
FROM core.actions_known($cutoff, $batch_id)
ORDER BY symbol, observed_on, kind
"""
_READ_SPLITS = """
SELECT symbol, observed_on, value FROM core.actions_known($cutoff, $batch_id) WHERE kind = 'split'
ORDER BY observed_on, symbol
"""
_READ_MACRO = """
SELECT * REPLACE (available_at AT TIME ZONE 'UTC' AS available_at, fetched_at AT TIME ZONE 'UTC' AS fetched_at)
FROM core.macro_known($cutoff, $batch_id)
ORDER BY series, observed_on
"""
_READ_QUARANTINED = """
SELECT q.kind, q.symbol, q.observed_on, q.rule, q.severity, q.message, q.payload,
       q.available_at AT TIME ZONE 'UTC' AS available_at, q.batch_id, b.fetched_at AT TIME ZONE 'UTC' AS fetched_at
FROM raw.quarantine AS q
JOIN raw.batches AS b ON b.batch_id = q.batch_id
WHERE (q.available_at IS NULL OR q.available_at <= $cutoff) AND q.batch_id <= $batch_id
ORDER BY q.symbol, q.observed_on, q.rule, q.batch_id, q.payload
"""


def append_batch(store: Store, checked: CheckedBatch, run_id: str) -> BatchReceipt:
    """Append what is new, corrected or renewed in a checked batch, in one transaction; the same again adds no row.

    Renewed: a price that was quarantined after it was last stored, and is believed again with the same values.
    """
    ensure_aware("CheckedBatch.fetched_at", checked.fetched_at)
    with store.transaction():
        batch_id = newest_batch(store) + 1
        batch = {"batch_id": batch_id, "fetched_at": checked.fetched_at}
        with incoming(store, checked.prices, "arriving"):  # first the doubts, then what ends them
            rows_quarantined = _insert(store, _INSERT_QUARANTINE, checked.quarantined, batch)
        rows_new = (
            _insert(store, _INSERT_PRICES, checked.prices, batch)
            + _insert(store, _INSERT_ACTIONS, checked.actions, batch)
            + _insert(store, _INSERT_MACRO, checked.macro, batch)
        )
        receipt = BatchReceipt(
            batch_id, len(checked.prices) + len(checked.actions) + len(checked.macro), rows_new, rows_quarantined
        )
        store.connection.execute(
            _INSERT_BATCH,
            batch
            | {"run_id": run_id, "source": checked.source, "rows_in": receipt.rows_in}
            | {"rows_new": rows_new, "rows_quarantined": rows_quarantined},
        )
    return receipt


def newest_batch(store: Store) -> int:
    """Return the id of the newest batch, 0 when there is none."""
    return store.connection.execute("SELECT coalesce(max(batch_id), 0) FROM raw.batches").fetchall()[0][0]


def read_prices(store: Store, known: Known, symbols: Collection[str] | None = None) -> DataFrame:
    """Read the prices known then, sorted by symbol and observed_on.

    Columns: symbol str, observed_on datetime64[us], open high low close volume float64 (NaN = not given), currency
    and basis str, available_at datetime64[us, UTC], batch_id int64, fetched_at datetime64[us, UTC]. No row has
    available_at after the cutoff or comes from a batch after `known.batch_id`.
    """
    wanted = None if symbols is None else sorted(symbols)
    return _frame(store, _READ_PRICES, parameters(known) | {"symbols": wanted})


def read_actions(store: Store, known: Known) -> DataFrame:
    """Read dividends and splits known then: symbol, observed_on, kind, value, available_at, batch_id, fetched_at."""
    return _frame(store, _READ_ACTIONS, parameters(known))


def read_splits(store: Store, known: Known) -> list[tuple[str, date, float]]:
    """Read the splits known then, by day: symbol, first day it trades divided, new shares for one old (2.0 for 2:1)."""
    return store.connection.execute(_READ_SPLITS, parameters(known)).fetchall()


def read_macro(store: Store, known: Known) -> DataFrame:
    """Read macro values known then: series, observed_on, value, available_at, batch_id, fetched_at."""
    return _frame(store, _READ_MACRO, parameters(known))


def read_quarantined(store: Store, known: Known) -> DataFrame:
    """Read the rows that had failed a check by then; CheckedBatch.quarantined's columns, batch_id and fetched_at."""
    return _frame(store, _READ_QUARANTINED, parameters(known))


def _insert(store: Store, statement: str, frame: DataFrame, values: Mapping[str, object]) -> int:
    if frame.empty:
        return 0  # an empty frame has no dtypes to go by
    with incoming(store, frame):
        return store.connection.execute(statement, dict(values)).fetchall()[0][0]


@contextmanager
def incoming(store: Store, frame: DataFrame, name: str = "incoming") -> Iterator[None]:
    """Let a statement read the frame as a table of that name."""
    store.connection.register(name, frame)
    try:
        yield
    finally:
        store.connection.unregister(name)


_FRAME_TYPES = {
    **dict.fromkeys(("symbol", "series", "kind", "currency", "basis", "rule", "severity", "message", "payload"), "str"),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "value"), "float64"),
    "batch_id": "int64",
    "observed_on": "datetime64[us]",
}


def _frame(store: Store, query: str, values: Mapping[str, object]) -> DataFrame:
    frame = store.connection.execute(query, dict(values)).df()
    frame = frame.astype({name: kind for name, kind in _FRAME_TYPES.items() if name in frame.columns})
    for name in ("available_at", "fetched_at"):
        frame[name] = frame[name].astype("datetime64[us]").dt.tz_localize("UTC")
    return frame
