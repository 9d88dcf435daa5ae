"""Carried-forward prices: a feed that is stuck repeats its last row, and looks like a calm market.

A stuck driver lowers the volatility and so buys leverage: a false HOLD is rare and cheap beside that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import QUARANTINE_DTYPES, RECONSTRUCTED, empty_frame
from portfolio.sources.quarantine import Rule, quarantine_rows
from portfolio.sources.row_checks import QUOTES

if TYPE_CHECKING:
    from collections.abc import Iterable

# Closes in a row that are equal to the cent. Two of a driver: S&P 500 3 times in 6 037 sessions (1999-2022), Nasdaq-100
# 8 in 9 827 (1985-2024), Nasdaq Composite once in 5 031: a false HOLD every three years.
DRIVER_ERROR = 2
# Three of a line: CW8, ESE, PAEEM never in 1 282 sessions each, SSO and QLD never in 3 655, SPY twice in 8 363, a quiet
# Frankfurt line once in 3 322; LQQ in 2-decimal closes 4 times in 1 043. Two of a line are usual (PAEEM 5 times).
LINE_ERROR = 3
# Two whole rows of a line, volume and all: in those histories twice (the Frankfurt line, without a trade on both days),
# and four times in LQQ when it stood at 0.08.
LINE_REPEATED = 2

CARRIED = Rule(
    "carried-forward",
    Severity.ERROR,
    "open, high, low and close all repeat the close before, but shares were traded; fetch again",
    ("close", "volume"),
)


def part_carried(prices: pd.DataFrame, known_prices: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part rows whose every quote is the close before them, though shares were traded, from the others.

    Not one of 24 000 days of CW8, ESE, PAEEM, SPY, SSO, QLD, DBPG and the CAC 40 is such a row. `prices` has a
    RangeIndex and passed the row rules. Look-ahead rule: a verdict rests on the row's own day and the one before it.
    Returns the other rows and quarantine records.
    """
    flat = prices["volume"].gt(0) & prices[list(QUOTES)].eq(prices["close"], axis=0).all(axis=1)
    if not flat.any():
        return prices, empty_frame(QUARANTINE_DTYPES)
    keys = ["symbol", "observed_on"]
    both = pd.concat([known_prices[[*keys, "close"]], prices[[*keys, "close"]]])
    both = both.drop_duplicates(keys, keep="last").sort_values(keys)
    both["before"] = both.groupby("symbol")["close"].shift()
    before = prices[keys].merge(both[[*keys, "before"]], on=keys, how="left")["before"]
    carried = flat & prices["close"].eq(before)
    records = quarantine_rows("price", prices[carried], [CARRIED] * int(carried.sum()))
    return prices[~carried].reset_index(drop=True), records


def carried_forward(symbol: str, rows: pd.DataFrame, *, driver: bool) -> Iterable[Finding]:
    """Look for equal closes in a series' rows, sorted by day; only the run that reaches the newest row can be grave.

    A line whose newest row is reconstructed is exempt: it repeats while its index's exchange is closed.
    """
    if rows["basis"].iloc[-1] == RECONSTRUCTED and not driver:
        return
    error = DRIVER_ERROR if driver else LINE_ERROR
    moved = rows["close"].diff() != 0
    lengths = moved.groupby(moved.cumsum()).size()
    newest, older = int(lengths.iloc[-1]), int((lengths.iloc[:-1] >= error).sum())
    day = pd.Timestamp(rows["observed_on"].iloc[-1]).date()
    if newest >= error:
        kind = "a driver" if driver else "a line"
        message = (
            f"{symbol}: the last {newest} closes are equal; {error} of {kind} are taken for a stuck feed. Compare with "
            "another source; the next close that moves ends it."
        )
        yield Finding(Severity.ERROR, "carried-forward", symbol, message, day, str(newest))
    elif newest >= LINE_REPEATED and _repeats(rows):
        message = f"{symbol}: the newest row repeats the one before it whole. Compare with another source."
        yield Finding(Severity.WARNING, "carried-forward", symbol, message, day, str(newest))
    if older:
        message = f"{symbol}: {older} times in its history {error} or more closes in a row are equal. Nothing to do."
        yield Finding(Severity.INFO, "carried-forward", symbol, message, value=str(older))


def _repeats(rows: pd.DataFrame) -> bool:
    """Whether the newest row is the one before it again, its volume too when both have one."""
    before, newest = rows.iloc[-2], rows.iloc[-1]
    same = all(before[quote] == newest[quote] for quote in QUOTES)  # a quote not given equals nothing
    volumes_given = pd.notna(before["volume"]) and pd.notna(newest["volume"])
    return same and (not volumes_given or before["volume"] == newest["volume"])
