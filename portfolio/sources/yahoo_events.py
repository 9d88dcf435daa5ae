"""Dividends and splits as Yahoo's chart tells them, by the exchange's day. Pure."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from portfolio.sources.batch import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Event = Mapping[str, Any]


def dividend_events(events: Mapping[str, Any], zone: str, currency: str) -> pd.DataFrame:
    """Return `day` and `value` of each dividend, NaN, which the gate sets aside, when told in another currency."""

    def amount(event: Event) -> float:
        return event["amount"] if event.get("currency") in (None, "", currency) else nan

    return _rows(events.get("dividends"), zone, amount)


def split_events(events: Mapping[str, Any], zone: str) -> pd.DataFrame:
    """Return `day` and `value`, new shares for one old, of each split."""
    return _rows(events.get("splits"), zone, lambda event: event["numerator"] / event["denominator"])


def exchange_days(index: pd.Index) -> pd.DatetimeIndex:
    """Return the exchange's own days of instants in its time zone, as naive midnights."""
    return pd.DatetimeIndex(index).tz_localize(None).normalize().as_unit("us")


def _rows(events: Mapping[str, Event] | None, zone: str, value_of: Callable[[Event], float]) -> pd.DataFrame:
    found = [(int(event["date"]), float(value_of(event))) for event in (events or {}).values()]
    stamps = pd.to_datetime([stamp for stamp, _ in found], unit="s", utc=True).tz_convert(zone)
    frame = pd.DataFrame({"day": exchange_days(stamps), "value": [value for _, value in found]})
    return frame.astype({"day": DAY, "value": "float64"})
