"""Rows that repeat the close before them whole, though shares were traded."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from portfolio.sources.checks import CheckedBatch, check_batch
from tests.unit.sources.tables import MONDAY, NO_PRICES, UNIVERSE, batch_of, closes_from

LINE = "PE500.PA"


@dataclass(frozen=True)
class Bar:
    close: float
    spread: float = 0.2  # between the close and the other quotes
    volume: float = 900.0


def bars(*drawn: Bar) -> pd.DataFrame:
    rows = closes_from(MONDAY, [bar.close for bar in drawn], LINE)
    spread = [bar.spread for bar in drawn]
    return rows.assign(
        open=rows["close"] - spread,
        low=rows["close"] - spread,
        high=rows["close"] + spread,
        volume=[bar.volume for bar in drawn],
    )


def checked(rows: pd.DataFrame, known: pd.DataFrame = NO_PRICES) -> CheckedBatch:
    return check_batch(batch_of(rows), UNIVERSE, known)


def test_a_row_is_set_aside_when_all_its_quotes_are_the_close_before_and_shares_were_traded():
    result = checked(bars(Bar(100.0), Bar(101.0), Bar(101.0, spread=0.0), Bar(101.0, spread=0.0), Bar(102.0)))
    assert result.quarantined["rule"].tolist() == ["carried-forward"] * 2
    assert result.prices["close"].tolist() == [100.0, 101.0, 102.0]


def test_the_close_before_is_the_believed_one_when_the_batch_has_none():
    rows = bars(Bar(100.0), Bar(101.0), Bar(101.0, spread=0.0))
    assert checked(rows.iloc[2:], rows.iloc[:2]).quarantined["rule"].tolist() == ["carried-forward"]


@pytest.mark.parametrize(
    "bar",
    [
        Bar(101.0, spread=0.0, volume=0.0),  # a day without a trade
        Bar(101.0, spread=0.0, volume=float("nan")),  # nothing is said of trades
        Bar(101.0, spread=0.1),  # it closed where it did before, but moved
        Bar(101.1, spread=0.0),  # one price all day, another than before
    ],
)
def test_a_row_is_believed_when_it_may_be_what_happened(bar: Bar):
    assert checked(bars(Bar(100.0), Bar(101.0), bar)).quarantined.empty


def test_each_symbol_is_compared_with_its_own_close():
    other = closes_from(MONDAY, [50.0, 101.0], "WPEA.PA").assign(volume=900.0)
    rows = pd.concat([bars(Bar(101.0), Bar(102.0)), other]).sort_values(["observed_on", "symbol"])
    assert "carried-forward" not in set(checked(rows).quarantined["rule"])
