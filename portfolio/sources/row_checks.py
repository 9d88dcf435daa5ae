"""Checks on single rows of a batch: each tells, for every row, whether the row breaks its rule.

A check may look at the row, the declared universe, the calendars and the instant of the fetch, and at rows of the same
day or week that were known no later: never at later rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.sessions import EXCHANGES, macro_known_at, price_known_at, sessions_between
from portfolio.sources.batch import ACTION_KINDS, INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from portfolio.universe import Universe

QUOTES = ("open", "high", "low", "close")
# Real histories break close <= high by float noise (SPY: 33 rows by 1e-16); ticks are below 0.1 % of a price.
ROUNDING = 1e-3
# Percent told as basis points, an index as a fraction. The largest ratio of one day's values in real histories is 2.2
# (VIX, 2018-02-05); a spread that crosses zero has any ratio, but never moves a whole point.
UNIT_RATIO, UNIT_POINTS = 50.0, 1.0
MONDAY, SATURDAY, SUNDAY = 0, 5, 6  # as pandas counts


@dataclass(frozen=True, slots=True)
class RowContext:
    """What the row rules may look at beside the row: the universe, the fetch, each exchange's sessions."""

    universe: Universe
    fetched_at: datetime
    sessions: Mapping[str, pd.DatetimeIndex]

    def leverage(self, symbol: str) -> int:
        """Leverage of a line; an index counts once."""
        return {item.ticker: item.leverage for item in self.universe.instruments}.get(symbol, 1)


def row_context(universe: Universe, fetched_at: datetime, first: pd.Timestamp) -> RowContext:
    """Collect the sessions of every exchange from `first` to a week after the fetch."""
    last = fetched_at.date() + timedelta(days=7)
    sessions = {name: pd.DatetimeIndex(sessions_between(name, first.date(), last)) for name in EXCHANGES}
    return RowContext(universe, fetched_at, sessions)


def unknown_symbols(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows of a symbol that the universe doesn't have."""
    return ~rows["symbol"].isin(list(context.universe.exchanges))


def unknown_series(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows of a macro series that the universe doesn't have."""
    return ~rows["series"].isin([item.series for item in context.universe.macro])


def undated(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows without a day."""
    return rows["observed_on"].isna()


def in_the_future(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows of a day after the fetch's own (UTC)."""
    return rows["observed_on"] > pd.Timestamp(context.fetched_at.date())


def not_yet_known(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows whose final value could not have been known at the fetch: a live bar, say."""
    nominal = nominal_instants(rows, price_known_at)
    return ~((rows["available_at"] <= context.fetched_at) & (nominal <= context.fetched_at))


def macro_not_yet_known(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows whose value was not yet published at the fetch."""
    return ~(rows["available_at"] <= context.fetched_at)


def price_too_early(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows said to be known before they could have been."""
    return ~(rows["available_at"] >= nominal_instants(rows, price_known_at))


def macro_too_early(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Macro rows said to be known before they could have been."""
    return ~(rows["available_at"] >= nominal_instants(rows, macro_known_at))


def nominal_instants(rows: pd.DataFrame, known_at: Callable[..., pd.DatetimeIndex]) -> pd.Series:
    """Return the nominal instant of each row; NaT for a row without a day."""
    days = pd.DatetimeIndex(rows["observed_on"]).normalize()
    unique = days.dropna().unique()
    instants = pd.Series(known_at(unique), index=unique, dtype=INSTANT)
    return instants.reindex(days).set_axis(rows.index)


def on_closed_day(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows of a day on which the symbol's exchange was closed, or with a time of day."""
    closed = pd.Series(data=True, index=rows.index)
    exchange = rows["symbol"].map(context.universe.exchanges)
    for name, sessions in context.sessions.items():
        closed &= ~((exchange == name) & rows["observed_on"].isin(sessions))
    return closed


def shifted_week(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows of a week whose days are probably all shifted by one, told by a row on a day that no exchange trades.

    A Sunday row says that the days of its own week are a day early. A Saturday row says that they are a day late: then
    the week after it has no Monday, and is distrusted as well. The days before the Saturday itself were known before
    it: `check_known` throws the doubt on them.
    """
    weekday = rows["observed_on"].dt.day_of_week
    sunday = rows["observed_on"].dt.normalize() - pd.to_timedelta((weekday + 1) % 7, unit="D")
    symbol = rows["symbol"].astype("str")
    week, week_before = symbol + sunday.astype("str"), symbol + (sunday - pd.Timedelta(days=7)).astype("str")
    early = week.isin(set(week[weekday == SUNDAY]))
    late = week_before.isin(set(week[weekday == SATURDAY])) & ~week.isin(set(week[weekday == MONDAY]))
    return early | late


def not_a_number(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows with text or an infinite value where a price belongs."""
    return rows["unreadable"] | rows[list(QUOTES)].abs().eq(np.inf).any(axis=1)


def nan_close(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows without a close."""
    return rows["close"].isna()


def non_positive(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows with a price of zero or less."""
    return (rows[list(QUOTES)] <= 0).any(axis=1)


def high_below_low(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows whose high is below their low."""
    return rows["high"] < rows["low"] * (1 - ROUNDING)


def close_outside(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Rows whose close is outside their own low and high."""
    return (rows["close"] > rows["high"] * (1 + ROUNDING)) | (rows["close"] < rows["low"] * (1 - ROUNDING))


def other_currency(rows: pd.DataFrame, context: RowContext) -> pd.Series:
    """Rows in another currency than the universe declares."""
    return rows["currency"] != rows["symbol"].map(context.universe.currencies)


def unknown_kind(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Actions that are neither dividend nor split."""
    return ~rows["kind"].isin(ACTION_KINDS)


def bad_action_value(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Actions whose value is not a positive finite number."""
    return ~((rows["value"] > 0) & np.isfinite(rows["value"]))


def not_finite(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Macro values that are text or infinite."""
    return rows["unreadable"] | rows["value"].abs().eq(np.inf)


def macro_unit_flip(rows: pd.DataFrame, _: RowContext) -> pd.Series:
    """Macro rows of another unit than the last row before them that is not flipped itself."""
    flipped = []
    finite = rows[np.isfinite(rows["value"])]
    for _series, values in finite.sort_values("observed_on").groupby("series")["value"]:
        before = None
        for place, value in values.items():
            if before is not None and _of_other_unit(before, value):
                flipped.append(place)
            else:
                before = value
    return pd.Series(rows.index.isin(flipped), index=rows.index)


def _of_other_unit(before: float, value: float) -> bool:
    smaller, larger = sorted((abs(before), abs(value)))
    return larger >= UNIT_RATIO * smaller and abs(value - before) >= UNIT_POINTS
