"""Dividends and splits that the closes around them contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.sources.batch import DIVIDEND, SPLIT
from portfolio.sources.checks import CheckedBatch, check_batch
from tests.unit.sources.tables import MONDAY, NO_PRICES, UNIVERSE, action_on, batch_of, closes_from, sessions_from

if TYPE_CHECKING:
    from datetime import date

LINE = "PE500.PA"
DAYS = sessions_from(MONDAY, 5, LINE)
CALM = [100.0, 101.0, 100.5, 101.5, 102.0]
HALVED = [100.0, 101.0, 100.5, 50.75, 51.0]  # a 2:1 split on the fourth day
DOUBLED = [200.0, 202.0, 201.0, 101.5, 102.0]  # how calm closes look when a split is undone that never was


def checked(closes: list[float], actions: pd.DataFrame, known: pd.DataFrame = NO_PRICES) -> CheckedBatch:
    return check_batch(batch_of(closes_from(MONDAY, closes, LINE), actions=actions), UNIVERSE, known)


def split_on(place: int, ratio: float) -> pd.DataFrame:
    return action_on(DAYS[place], SPLIT, ratio, LINE)


def dividend_on(day: date, value: float) -> pd.DataFrame:
    return action_on(day, DIVIDEND, value, LINE)


def rules(result: CheckedBatch) -> list[str]:
    return result.quarantined.loc[result.quarantined["kind"] == "action", "rule"].tolist()


def known_up_to(count: int, closes: list[float]) -> pd.DataFrame:
    return closes_from(MONDAY, closes, LINE).iloc[:count]


@pytest.mark.parametrize(
    ("closes", "ratio"), [(HALVED, 2.0), (CALM, 1.1), ([100.0, 100.0, 100.0, 99_000.0, 99_500.0], 0.001)]
)
def test_a_split_is_believed_when_its_day_moves_by_it_or_as_much_as_a_usual_day(closes: list[float], ratio: float):
    result = checked(closes, split_on(3, ratio))
    assert len(result.actions) == 1
    assert rules(result) == []


@pytest.mark.parametrize("ratio", [2.0, 0.5, 3.0, 10.0])
def test_a_split_is_set_aside_when_the_closes_do_not_know_of_it(ratio: float):
    result = checked(CALM, split_on(3, ratio))
    assert result.actions.empty
    assert rules(result) == ["split-contradicted"]
    assert len(result.prices) == 5


def test_a_split_is_judged_by_the_believed_close_when_the_history_was_scaled_by_it():
    result = checked(DOUBLED, split_on(3, 2.0), known_up_to(3, CALM))
    assert result.actions.empty
    assert result.prices["close"].tolist() == [101.5, 102.0]  # the days before it stay as they are believed


def test_a_split_stays_believed_when_a_later_batch_has_only_days_after_it():
    later = closes_from(MONDAY, HALVED, LINE).iloc[4:]
    result = check_batch(batch_of(later, actions=split_on(3, 2.0)), UNIVERSE, known_up_to(4, HALVED))
    assert len(result.actions) == 1


def test_a_split_waits_when_its_day_has_no_close():
    lacking = closes_from(MONDAY, HALVED, LINE).drop(index=3).reset_index(drop=True)
    assert rules(check_batch(batch_of(lacking, actions=split_on(3, 2.0)), UNIVERSE, NO_PRICES)) == [
        "split-contradicted"
    ]


def test_earlier_dividends_go_with_a_split_that_is_set_aside():
    told = pd.concat([dividend_on(DAYS[1], 0.8), split_on(3, 2.0), dividend_on(DAYS[4], 0.3)])
    result = checked(CALM, told.reset_index(drop=True))
    assert result.actions["value"].tolist() == [0.3]
    assert rules(result) == ["split-contradicted", "split-contradicted"]


@pytest.mark.parametrize(("value", "said"), [(9.9, []), (10.2, ["dividend-too-large"])])
def test_a_dividend_is_set_aside_when_it_is_more_than_a_tenth_of_the_close_before(value: float, said: list[str]):
    assert rules(checked(CALM, dividend_on(DAYS[1], value))) == said


@pytest.mark.parametrize(
    ("days_apart", "second", "said"),
    [(1, 0.5, ["dividend-twice"]), (10, 0.5, ["dividend-twice"]), (11, 0.5, []), (1, 0.4, [])],
)
def test_a_dividend_is_set_aside_when_the_same_came_shortly_before(days_apart: int, second: float, said: list[str]):
    days = sessions_from(MONDAY, 12, LINE)
    later = next(day for day in days if (day - days[0]).days >= days_apart)
    told = pd.concat([dividend_on(days[0], 0.5), dividend_on(later, second)]).reset_index(drop=True)
    closes = closes_from(MONDAY, [100.0 + place for place in range(12)], LINE)
    assert rules(check_batch(batch_of(closes, actions=told), UNIVERSE, NO_PRICES)) == said


def test_a_dividend_told_twice_stays_set_aside_when_the_batch_no_longer_reaches_back_to_the_first():
    days = sessions_from(MONDAY, 12, LINE)
    closes = closes_from(MONDAY, [100.0 + place for place in range(12)], LINE)
    late = batch_of(closes.iloc[2:], actions=dividend_on(days[2], 0.5))
    assert rules(check_batch(late, UNIVERSE, closes.iloc[:11], dividend_on(days[0], 0.5))) == ["dividend-twice"]


def test_a_dividend_is_believed_when_it_is_delivered_again():
    closes, told = closes_from(MONDAY, CALM, LINE), dividend_on(DAYS[1], 0.5)
    assert rules(check_batch(batch_of(closes, actions=told), UNIVERSE, closes.iloc[:4], told)) == []
