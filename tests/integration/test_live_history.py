"""A history fetched day by day and one fetched in one go: the same rows believed, the same decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.day.morning import decide_day, store_fetched
from portfolio.day.update import fetch
from portfolio.sessions import sessions_between
from tests.support.days import paris, run_at
from tests.support.live_days import believed, live_settings, morning, truth_of, universe_with, untrue
from tests.support.outside import market_of_sample, serving
from tests.support.outside.edits import add_dividend, add_split

if TYPE_CHECKING:
    import pandas as pd

    from tests.support.live_days import Believed

FIRST_FETCH, LAST = date(2018, 3, 20), date(2018, 4, 6)  # over Easter and a change of clocks
SPLIT_ON, DIVIDEND_ON = date(2018, 3, 28), date(2018, 4, 4)
LINES = ("WPEA.PA", "PE500.PA", "PUST.PA", "PAEEM.PA", "LQQ.PA", "CL2.PA")
ROWS = ["symbol", "observed_on", "open", "high", "low", "close", "volume", "currency", "basis", "available_at"]


@dataclass(frozen=True)
class Histories:
    """What both stores believe, and the answer of each session in both."""

    truth: pd.DataFrame
    daily: Believed
    at_once: Believed
    daily_answers: list[dict[str, Any]]
    at_once_answers: list[dict[str, Any]]


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Histories:
    folder = tmp_path_factory.mktemp("histories")
    market = market_of_sample(folder / "market", date(2016, 12, 1), LAST)
    add_split(market, "LQQ.PA", SPLIT_ON, 3.0)
    add_dividend(market, "LQQ.PA", DIVIDEND_ON, 0.11)
    add_dividend(market, "LQQ.PA", date(2017, 6, 1), 0.12)
    universe = universe_with(folder, *LINES, "VIXCLS")
    instants = [paris(f"{day} 07:30") for day in sessions_between("XPAR", FIRST_FETCH, LAST)]
    with serving(market) as stub:
        daily, at_once = (
            live_settings(folder / name, stub, PORTFOLIO_UNIVERSE_FILE=universe) for name in ("daily", "at-once")
        )
        daily_answers = [morning(daily, stub, instant).answer for instant in instants]
        last = run_at(at_once, instants[-1], "update")
        store_fetched(last, fetch(last), ())
    at_once_answers = [decide_day(run_at(at_once, instant, "signal"), ()).signal.answer for instant in instants]
    return Histories(truth_of(market), believed(daily), believed(at_once), daily_answers, at_once_answers)


def test_prices_are_the_same_to_the_bit_when_fetched_day_by_day_and_at_once(histories):
    daily, at_once = (told.prices[ROWS] for told in (histories.daily, histories.at_once))
    assert len(daily) > 8 * 330
    assert daily.equals(at_once)


def test_prices_are_the_unadjusted_ones_when_a_split_and_dividends_came_later(histories):
    assert untrue(histories.at_once.prices, histories.truth).empty
    assert untrue(histories.daily.prices, histories.truth).empty


def test_actions_are_the_same_when_fetched_day_by_day_and_at_once(histories):
    actions = [
        [(row.symbol, row.observed_on.date(), row.kind, row.value) for row in told.actions.itertuples()]
        for told in (histories.daily, histories.at_once)
    ]
    assert actions[0] == actions[1]
    assert actions[0] == [
        ("LQQ.PA", date(2017, 6, 1), "dividend", 0.12),
        ("LQQ.PA", SPLIT_ON, "split", 3.0),
        ("LQQ.PA", DIVIDEND_ON, "dividend", 0.11),
    ]


def test_macro_values_are_the_same_when_fetched_day_by_day_and_at_once(histories):
    columns = ["series", "observed_on", "value", "available_at"]
    assert histories.daily.macro[columns].equals(histories.at_once.macro[columns])


def test_nothing_is_doubted_when_the_feed_is_right(histories):
    assert histories.daily.quarantined.empty
    assert histories.at_once.quarantined.empty


def test_decisions_are_the_same_for_each_session_when_fetched_day_by_day_and_at_once(histories):
    assert [answer["decision"] for answer in histories.daily_answers] == ["TARGET"] * 12
    assert histories.daily_answers == histories.at_once_answers
