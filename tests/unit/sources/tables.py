"""Small drawn batches: closes placed on an exchange's sessions, with nominal instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd

from portfolio.sessions import macro_known_at, price_known_at, sessions_between
from portfolio.sources.batch import (
    ACTION_DTYPES,
    MACRO_DTYPES,
    OBSERVED,
    PRICE_DTYPES,
    QUARANTINE_DTYPES,
    Batch,
    empty_frame,
)
from portfolio.universe import read_universe

UNIVERSE = read_universe()
NO_PRICES = empty_frame(PRICE_DTYPES)
NO_ACTIONS = empty_frame(ACTION_DTYPES)
NO_MACRO = empty_frame(MACRO_DTYPES)
NO_QUARANTINE = empty_frame(QUARANTINE_DTYPES)
MONDAY = date(2024, 6, 3)  # XNYS and XPAR are both open on 3-7, 10-14 and 17-18 June 2024; XNYS is closed on the 19th


def sessions_from(first: date, count: int, symbol: str) -> list[date]:
    """List the first `count` sessions of the symbol's exchange."""
    exchange = UNIVERSE.exchanges[symbol]
    return sessions_between(exchange, first, first + timedelta(days=2 * count + 30))[:count]


def rows_on(days: list[date], closes: list[float], symbol: str = "^GSPC", basis: str = OBSERVED) -> pd.DataFrame:
    """Draw price rows on given days: one quote for all four, as of a day without a trade."""
    frame = pd.DataFrame({"symbol": symbol, "observed_on": pd.DatetimeIndex(days), "close": closes})
    frame = frame.assign(open=frame["close"], high=frame["close"], low=frame["close"], volume=0.0, basis=basis)
    frame["currency"] = UNIVERSE.currencies.get(symbol, "EUR")
    frame["available_at"] = price_known_at(days)
    return frame[list(PRICE_DTYPES)].astype(PRICE_DTYPES)


def closes_from(first: date, closes: list[float], symbol: str = "^GSPC") -> pd.DataFrame:
    """Draw closes on consecutive sessions."""
    return rows_on(sessions_from(first, len(closes), symbol), closes, symbol)


def macro_on(days: list[date], values: list[float], series: str = "VIXCLS") -> pd.DataFrame:
    """Draw macro rows on given days."""
    frame = pd.DataFrame({"series": series, "observed_on": pd.DatetimeIndex(days), "value": values})
    return frame.assign(available_at=macro_known_at(days)).astype(MACRO_DTYPES)


def action_on(day: date, kind: str, value: float, symbol: str = "^GSPC") -> pd.DataFrame:
    """Draw one action."""
    frame = pd.DataFrame({"symbol": [symbol], "observed_on": pd.DatetimeIndex([day]), "kind": [kind], "value": [value]})
    return frame.assign(available_at=price_known_at([day])).astype(ACTION_DTYPES)


def morning_after(day: date) -> datetime:
    """Half past seven in Paris (summer) on the day after."""
    return datetime(day.year, day.month, day.day, 5, 30, tzinfo=UTC) + timedelta(days=1)


def batch_of(
    prices: pd.DataFrame,
    fetched_at: datetime | None = None,
    actions: pd.DataFrame = NO_ACTIONS,
    macro: pd.DataFrame = NO_MACRO,
) -> Batch:
    """Draw a batch, fetched on the morning after its newest row unless said otherwise."""
    fetched_at = fetched_at or morning_after(prices["observed_on"].max().date())
    return Batch("drawn", fetched_at, prices, actions, macro)
