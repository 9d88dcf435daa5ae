"""Metrics of the data and the decision: how far series reach, rows, findings, the newest signal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.findings import Severity
from portfolio.health.decision import findings_of, is_overdue
from portfolio.store.connection import published_path
from portfolio.web.families import Row, gauge, midnight, single, states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from portfolio.health.published import Published
    from portfolio.web.reading import Seen

DECISIONS = ("TARGET", "HOLD", "REFUSED")


def data_families(seen: Seen) -> Iterator[Metric]:
    """Yield them; without a published copy that opens, only that it does not."""
    published = seen.published
    readable = not isinstance(published, StoreError)
    yield single("portfolio_published_readable", "Whether the published copy opens (1) or not (0).", readable)
    if isinstance(published, StoreError):
        return
    yield from _copy(seen, published)
    yield from _series(seen)
    yield from _signal(seen, published)


def _copy(seen: Seen, published: Published) -> Iterator[Metric]:
    try:
        file = published_path(seen.settings.store_path).stat()
    except OSError:  # gone since it was read
        return
    yield single("portfolio_published_timestamp_seconds", "When the published copy was made.", file.st_mtime)
    yield single("portfolio_published_size_bytes", "Size of the published copy.", file.st_size)
    rows: list[Row] = [((table,), count) for table, count in published.rows.items()]
    yield gauge("portfolio_table_rows", "Rows of each table of the store.", ("table",), rows)


def _series(seen: Seen) -> Iterator[Metric]:
    reached = [reach for reach in seen.health.series if reach.newest and reach.sessions_behind is not None]
    labels = ("series", "kind", "exchange")
    yield gauge(
        "portfolio_series_newest_timestamp_seconds",
        "Midnight (UTC) of the newest session or day a series has a value of.",
        labels,
        [((reach.symbol, reach.kind, reach.exchange), midnight(reach.newest)) for reach in reached if reach.newest],
    )
    yield gauge(
        "portfolio_series_sessions_behind",
        "Sessions that a series is behind what the newest opened session could have known.",
        labels,
        [((reach.symbol, reach.kind, reach.exchange), float(reach.sessions_behind or 0)) for reach in reached],
    )
    missing = sum(1 for reach in seen.health.series if reach.newest is None)
    yield single("portfolio_series_missing", "Series of the universe of which nothing is stored.", missing)


def _signal(seen: Seen, published: Published) -> Iterator[Metric]:
    signal = published.signal
    yield single(
        "portfolio_session_undecided",
        "Whether the newest session past its deadline (an hour after PORTFOLIO_DAY_AT) has no decision (1).",
        is_overdue(published.calendars(seen.now), signal, seen.settings.day_at),
    )
    yield single(
        "portfolio_signal_session_timestamp_seconds",
        "Midnight (UTC) of the session that the newest decision is for.",
        midnight(signal.session) if signal else None,
    )
    yield single(
        "portfolio_signal_recorded_timestamp_seconds",
        "When the newest decision was logged.",
        signal.recorded_at.timestamp() if signal else None,
    )
    yield gauge(
        "portfolio_signal_decision",
        "The newest decision (1); REFUSED is a decision whose plan a limit refused.",
        ("decision",),
        states((), DECISIONS, _decision(published)),
    )
    found = [item["severity"] for item in findings_of(signal)] if signal else []
    counts: list[Row] = [((str(severity),), found.count(severity)) for severity in Severity]
    yield gauge("portfolio_signal_findings", "Findings of the newest decision's checks.", ("severity",), counts)


def _decision(published: Published) -> str | None:
    planned = published.planned
    if planned and json.loads(planned.plan)["weights_after"] is None:
        return "REFUSED"
    return published.signal.decision if published.signal else None
