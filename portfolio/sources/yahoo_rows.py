"""Yahoo's chart as rows of a batch: unadjusted prices, with dividends and splits apart. Pure.

Yahoo divides the prices of every day before a split by its ratio (and dividends too), multiplies the volumes, and sends
prices as 32-bit floats. All three are undone here; sources: its chart of NVDA over 2021 (a volume of 217 million on
2021-02-01, forty times the true one, as two splits followed), quantmod's issue 218 (prices), pandas-datareader's 651
(dividends). Some years ago it left dividends as they were: the gate sets aside one that is too large for its close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.sessions import price_known_at
from portfolio.sources.batch import (
    ACTION_COLUMNS,
    ACTION_DTYPES,
    DIVIDEND,
    OBSERVED,
    PRICE_COLUMNS,
    PRICE_DTYPES,
    SPLIT,
)

if TYPE_CHECKING:
    from portfolio.sources.yahoo import YahooAnswer

QUOTES = {"Open": "open", "High": "high", "Low": "low", "Close": "close"}
# A 32-bit float is off by 6e-8 at most; a price has six digits, seldom seven.
FLOAT_ERROR = 1e-7
FEWER_DIGITS, MOST_DIGITS = 6, 7


def price_rows(symbol: str, answer: YahooAnswer) -> pd.DataFrame:
    """Return PRICE_COLUMNS: prices of each day's own shares in the chart's currency, volume in those shares.

    A second bar of the newest day with another close comes as a second row, which the gate doesn't pass over.
    """
    days = pd.DatetimeIndex(answer.bars.index)
    shares = shares_since(days, answer.splits)
    columns = {ours: as_printed(answer.bars[theirs].to_numpy() * shares) for theirs, ours in QUOTES.items()}
    columns["volume"] = np.round(answer.bars["Volume"].to_numpy(dtype="float64") / shares)
    fixed = {"symbol": symbol, "observed_on": days, "currency": answer.currency, "basis": OBSERVED}
    rows = pd.DataFrame(fixed | columns | {"available_at": price_known_at(days)})[list(PRICE_COLUMNS)]
    return pd.concat([rows, _second_bar(rows, answer.live_close)], ignore_index=True).astype(PRICE_DTYPES)


def action_rows(symbol: str, answer: YahooAnswer) -> pd.DataFrame:
    """Return ACTION_COLUMNS: dividends in currency units a share of their own day, splits as new shares for one old."""
    shares = shares_since(pd.DatetimeIndex(answer.dividends["day"]), answer.splits)
    dividends = answer.dividends.assign(kind=DIVIDEND, value=as_printed(answer.dividends["value"].to_numpy() * shares))
    rows = pd.concat([dividends, answer.splits.assign(kind=SPLIT)], ignore_index=True)
    rows = rows.rename(columns={"day": "observed_on"}).assign(symbol=symbol)
    rows = rows.assign(available_at=price_known_at(rows["observed_on"]))
    return rows.sort_values(["observed_on", "kind"], ignore_index=True)[list(ACTION_COLUMNS)].astype(ACTION_DTYPES)


def shares_since(days: pd.DatetimeIndex, splits: pd.DataFrame) -> np.ndarray:
    """Return how many shares of now one share of each day became: the product of the ratios of later splits.

    A split's own day trades in new shares already. A ratio that cannot be is as none: the gate judges the rows.
    """
    shares = np.ones(len(days))
    for day, ratio in zip(splits["day"], splits["value"], strict=True):
        if np.isfinite(ratio) and ratio > 0:
            shares[days < day] *= ratio
    return shares


def as_printed(values: np.ndarray) -> np.ndarray:
    """Return the decimal numbers that 32-bit floats stand for; a float is the same however it was scaled before.

    The six digits that such a float surely holds when they tell it, else seven.
    """
    return np.array([_printed(float(value)) for value in values], dtype="float64")


def _printed(value: float) -> float:
    if not np.isfinite(value):
        return value
    short = float(f"{value:.{FEWER_DIGITS}g}")
    return short if abs(short - value) <= FLOAT_ERROR * abs(value) else float(f"{value:.{MOST_DIGITS}g}")


def _second_bar(rows: pd.DataFrame, live_close: float | None) -> pd.DataFrame:
    if live_close is None or rows.empty or not np.isfinite(live_close):
        return rows[:0]
    newest = rows.iloc[[-1]]
    close = as_printed(np.array([live_close]))[0]
    return rows[:0] if newest["close"].eq(close).any() else newest.assign(close=close)
