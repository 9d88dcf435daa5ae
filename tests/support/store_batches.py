"""Small drawn batches for the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.sources.batch import ACTION_DTYPES, MACRO_DTYPES, PRICE_DTYPES, QUARANTINE_DTYPES
from portfolio.sources.checks import CheckedBatch

if TYPE_CHECKING:
    from collections.abc import Sequence


def at(text: str) -> datetime:
    """An instant in UTC: at("2018-12-28 06:00")."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def drawn(
    fetched: str,
    prices: Sequence[tuple[str, str, float]] = (),
    macro: Sequence[tuple[str, str, float]] = (),
    actions: Sequence[tuple[str, str, str, float]] = (),
    quarantined: Sequence[tuple[str, str | None, str, str]] = (),
) -> CheckedBatch:
    """A checked batch; everything about a day is nominally known at 05:00 UTC of the next."""
    return CheckedBatch(
        source="drawn",
        fetched_at=at(fetched),
        prices=price_frame(prices),
        actions=_dated(pd.DataFrame(actions, columns=["symbol", "observed_on", "kind", "value"]), ACTION_DTYPES),
        macro=_dated(pd.DataFrame(macro, columns=["series", "observed_on", "value"]), MACRO_DTYPES),
        quarantined=_quarantine_frame(quarantined),
        findings=(),
    )


def price_frame(prices: Sequence[tuple[str, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(prices, columns=["symbol", "observed_on", "close"])
    frame = frame.assign(open=frame["close"], high=frame["close"], low=frame["close"], volume=float("nan"))
    return _dated(frame.assign(currency="USD", basis="observed"), PRICE_DTYPES)


def _quarantine_frame(rows: Sequence[tuple[str, str | None, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "observed_on", "rule", "payload"])
    frame = frame.assign(kind="price", severity="error", message="seen")
    return _dated(frame, QUARANTINE_DTYPES)


def _dated(frame: pd.DataFrame, dtypes: dict[str, str]) -> pd.DataFrame:
    days = pd.to_datetime(frame["observed_on"]).astype("datetime64[us]")
    known_at = (days + pd.Timedelta(days=1, hours=5)).dt.tz_localize("UTC")
    return frame.assign(observed_on=days, available_at=known_at)[list(dtypes)].astype(dtypes)


@lru_cache
def long_batch(fetched: str, rows: int, level: float) -> CheckedBatch:
    """A batch of `rows` consecutive days of one symbol, each close being `level`."""
    days = pd.date_range("1990-01-01", periods=rows).strftime("%Y-%m-%d")
    return drawn(fetched, [("^GSPC", day, level) for day in days])
