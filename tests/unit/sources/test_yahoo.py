"""yfinance against a server that speaks Yahoo's wire: what is asked, what comes, and how its faults are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from yfinance.cache import get_tz_cache

from portfolio.sources.live_faults import OutOfTimeError, PassingError, RateLimitError, RefusedError
from portfolio.sources.live_wire import Deadline
from portfolio.sources.yahoo import YahooFeed
from tests.support.days import paris
from tests.support.outside import Fault, serving
from tests.support.outside.edits import add_dividend, add_split
from tests.unit.sources.drawn_market import FIRST, drawn_market, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.sources.yahoo import YahooAnswer
    from tests.support.outside import Stub

LINE, INDEX = "PE500.PA", "^GSPC"
CLOSES = [20.0, 20.2, 20.1, 20.3, 20.5, 20.4]


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    market = drawn_market(tmp_path / "market", {LINE: CLOSES, INDEX: [5300.0 + place for place in range(6)]})
    with serving(market) as stub:
        yield stub


def feed_to(stub: Stub, folder: Path, budget_s: float = 60.0, timeout_s: float = 1.0) -> YahooFeed:
    return YahooFeed(stub.settings["PORTFOLIO_YAHOO_URL"], timeout_s, Deadline(budget_s), folder)


@pytest.fixture
def feed(stub: Stub, tmp_path: Path) -> YahooFeed:
    return feed_to(stub, tmp_path)


def asked(feed: YahooFeed, symbol: str = LINE) -> YahooAnswer:
    return feed.ask(symbol, "XNYS" if symbol == INDEX else "XPAR", FIRST)


def endpoints(stub: Stub) -> list[str]:
    return [request.endpoint for request in stub.requests]


def test_bars_stand_under_the_exchanges_own_days(feed):
    told = asked(feed)
    assert [day.date() for day in told.bars.index] == [session(LINE, place) for place in range(6)]
    assert told.bars["Close"].tolist() == pytest.approx(CLOSES)
    assert (told.currency, told.live_close) == ("EUR", None)


def test_each_symbol_costs_one_request_beside_a_cookie_and_a_crumb_for_all(stub, feed):
    asked(feed)
    asked(feed, INDEX)
    assert endpoints(stub).count("chart") == 2
    assert feed.requests == len(stub.requests) == 4


def test_the_question_reaches_to_the_present_so_that_every_later_split_is_in_the_answer(stub, feed):
    asked(feed)
    chart = stub.requests[-1].query
    assert int(chart["period1"]) == int(paris(f"{FIRST} 00:00").timestamp())
    assert int(chart["period2"]) > paris("2026-01-01 00:00").timestamp()
    assert {"div", "splits"} <= set(chart["events"].split(","))


def test_events_come_as_they_were_told(tmp_path):
    market = drawn_market(tmp_path / "market", {LINE: CLOSES})
    add_dividend(market, LINE, session(LINE, 1), 0.5)
    add_split(market, LINE, session(LINE, 3), 2.0)
    with serving(market) as stub:
        stub.inject(Fault("dividend-same-day"))
        told = asked(feed_to(stub, tmp_path))
    assert [(day.date(), value) for day, value in told.splits.to_numpy().tolist()] == [(session(LINE, 3), 2.0)]
    assert told.dividends["value"].tolist() == [0.25, 0.25]  # yfinance would make it 0.5


def test_events_are_read_when_their_day_has_no_bar(tmp_path):
    market = drawn_market(tmp_path / "market", {LINE: CLOSES})
    add_split(market, LINE, session(LINE, 4), 2.0)
    with serving(market) as stub:
        stub.inject(Fault("missing-sessions", rows=1))
        told = asked(feed_to(stub, tmp_path))
    assert session(LINE, 4) not in {day.date() for day in told.bars.index}
    assert [day.date() for day in told.splits["day"]] == [session(LINE, 4)]  # yfinance would say a day earlier


def test_a_second_bar_of_the_newest_day_is_told(stub, feed):
    stub.inject(Fault("live-row"))
    told = asked(feed)
    assert told.bars["Close"].iloc[-1] == pytest.approx(20.4)
    assert told.live_close is not None


@pytest.mark.parametrize(
    "fault",
    [
        "server-error",
        "reset",
        "cut-off",
        "truncated",
        "html",
        "captive-portal",
        "empty-result",
        "null-result",
        "possibly-delisted",
        "invalid-crumb",
    ],
)
def test_a_fault_that_may_pass_is_named_so_and_passes(stub, feed, fault):
    stub.inject(Fault(fault, on=LINE))
    with pytest.raises(PassingError, match=LINE) as raised:
        asked(feed)
    assert raised.value.rule == "fetch-failed"
    stub.clear()
    assert len(asked(feed).bars) == 6


@pytest.mark.parametrize("fault", ["never-answers", "trickle"])
def test_an_answer_that_does_not_end_is_a_fault_that_may_pass(stub, tmp_path, fault):
    stub.inject(Fault(fault, on=LINE))
    with pytest.raises(PassingError, match="no answer of Yahoo"):
        asked(feed_to(stub, tmp_path, timeout_s=0.3))


def test_an_answer_that_our_own_hurry_cut_off_is_not_told_as_the_services_fault(stub, tmp_path):
    stub.inject(Fault("never-answers", on="chart"))
    with pytest.raises(PassingError, match="the time for the service is used up before its answer was there"):
        asked(feed_to(stub, tmp_path, budget_s=0.5, timeout_s=10.0))


def test_no_request_is_sent_when_the_time_is_used_up(stub, tmp_path):
    with pytest.raises(OutOfTimeError, match="the time for the service is used up"):
        asked(feed_to(stub, tmp_path, budget_s=0.0))
    assert stub.requests == ()


def test_a_busy_service_is_asked_once_and_its_wait_is_told(stub, feed):
    stub.inject(Fault("rate-limited-retry-after", factor=7, on="chart"))
    with pytest.raises(RateLimitError) as raised:
        asked(feed)
    assert raised.value.wait_s == 7.0
    assert endpoints(stub).count("chart") == 1


def test_an_unknown_symbol_is_refused_and_asked_once(stub, feed):
    with pytest.raises(RefusedError, match="does not know the symbol") as raised:
        asked(feed, "WPEA.PA")
    assert raised.value.rule == "unknown-to-provider"
    assert endpoints(stub).count("chart") == 1


def test_days_of_another_time_zone_are_refused(stub, feed):
    stub.inject(Fault("utc-midnight"))
    with pytest.raises(RefusedError, match="those of UTC") as raised:
        asked(feed)
    assert raised.value.rule == "wrong-time-zone"


def test_consent_is_given_when_yahoo_asks_for_it(stub, feed):
    stub.inject(Fault("consent-page", on="chart"))
    with pytest.raises(PassingError):  # the form's answer is a page, not the chart
        asked(feed)
    assert len(asked(feed).bars) == 6
    assert {"collect-consent", "copy-consent"} <= set(endpoints(stub))


@pytest.mark.parametrize(
    "fault",
    [
        "crumb-refused",
        "rate-limited",
        "server-error",
        "html",
        "captive-portal",
        "reset",
        "null-result",  # with status 200, as is the next
        "empty-result",
    ],
)
def test_what_is_no_crumb_is_not_offered_as_one_and_the_chart_comes_without(stub, feed, fault):
    stub.inject(Fault(fault, on="crumb"))
    assert len(asked(feed).bars) == 6
    assert "crumb" not in stub.requests[-1].query
    assert endpoints(stub).count("chart") == 1


def test_a_refused_cookie_is_replaced_within_a_few_tries(stub, feed):
    stub.inject(Fault("invalid-crumb"))
    tries = 0
    for _ in range(4):
        try:
            asked(feed)
            break
        except PassingError:
            tries += 1
    assert tries < 4


def test_a_wrong_time_zone_in_yfinances_cache_is_mended_before_it_is_used(stub, feed):
    asked(feed)
    zones: Any = get_tz_cache()
    zones.store(LINE, "Asia/Tokyo")  # as an earlier odd answer would leave it
    told = asked(feed)
    assert stub.requests[-1].query["period1"] == str(int(paris(f"{FIRST} 00:00").timestamp()))
    assert told.bars.index[0].date() == FIRST


def test_no_answer_is_told_twice_in_one_process(stub, tmp_path):
    stub.at(paris(f"{session(LINE, 3)} 07:30"))
    before = asked(feed_to(stub, tmp_path))
    stub.at(paris(f"{session(LINE, 4)} 07:30"))
    after = asked(feed_to(stub, tmp_path))
    assert (len(before.bars), len(after.bars)) == (3, 4)
