"""fredapi against a server that speaks FRED's wire: vintages, time-outs, refusals, and the key in no text."""

from __future__ import annotations

import logging
import traceback
import urllib.request
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.sources.fred import FredFeed
from portfolio.sources.fred_rows import macro_rows
from portfolio.sources.live_faults import OutOfTimeError, PassingError, RateLimitError, RefusedError
from portfolio.sources.live_wire import Deadline
from portfolio.universe import MacroSeries
from tests.support.days import paris
from tests.support.outside import Fault, serving
from tests.unit.sources.drawn_market import drawn_market

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.outside import Stub

DAILY = MacroSeries(series="DGS10", name="10 years", unit="percent")
REVISED = MacroSeries(series="CPIAUCSL", name="prices", unit="index", revised=True)
ABSENT = MacroSeries(series="NOSUCH", name="nothing", unit="nothing")
SERIES = {
    "DGS10": "date,value\n2024-06-05,4.28\n2024-06-06,\n2024-06-07,4.43\n2024-06-10,4.47\n",
    "CPIAUCSL": "date,value,realtime_start\n2024-03-01,312.2,2024-04-10\n2024-04-01,313.5,2024-05-15\n"
    "2024-04-01,313.2,2024-06-12\n2024-05-01,313.0,2024-06-12\n",
}
SINCE = date(2024, 1, 1)
LATER = paris("2024-07-01 07:30")


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    with serving(drawn_market(tmp_path / "market", {}, SERIES)) as stub:
        stub.at(LATER)
        yield stub


def feed_to(stub: Stub, key: str | None = None, timeout_s: float = 1.0, budget_s: float = 60.0) -> FredFeed:
    settings = stub.settings
    return FredFeed(settings["PORTFOLIO_FRED_URL"], key or settings["FRED_API_KEY"], timeout_s, Deadline(budget_s))


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def test_observations_come_with_their_days_and_missing_ones_without_a_value(stub):
    told = feed_to(stub).ask(DAILY, SINCE, LATER)
    assert told["observed_on"].tolist() == [day("2024-06-05"), day("2024-06-06"), day("2024-06-07"), day("2024-06-10")]
    assert told["value"].isna().tolist() == [False, True, False, False]
    assert told["released_on"].isna().all()


def test_only_what_may_be_new_is_asked_for(stub):
    told = feed_to(stub).ask(DAILY, date(2024, 6, 7), LATER)
    assert told["value"].tolist() == [4.43, 4.47]
    assert stub.requests[-1].query["observation_start"] == "2024-06-07"


def test_values_are_those_known_on_the_day_of_the_run(stub):
    instant = paris("2024-06-08 07:30")
    assert feed_to(stub).ask(DAILY, SINCE, instant)["value"].tolist()[:1] == [4.28]
    query = stub.requests[-1].query
    assert (query["realtime_start"], query["realtime_end"]) == ("2024-06-08", "2024-06-08")


def test_the_day_of_the_run_is_the_one_in_st_louis(stub):
    feed_to(stub).ask(DAILY, SINCE, paris("2024-06-08 06:30"))  # half past eleven in the evening there
    assert stub.requests[-1].query["realtime_end"] == "2024-06-07"


@pytest.mark.parametrize(
    ("instant", "values"),
    [
        ("2024-05-20 07:30", {"2024-03-01": (312.2, "2024-04-11"), "2024-04-01": (313.5, "2024-05-16")}),
        (
            "2024-06-20 07:30",
            {
                "2024-03-01": (312.2, "2024-04-11"),
                "2024-04-01": (313.2, "2024-06-13"),
                "2024-05-01": (313.0, "2024-06-13"),
            },
        ),
    ],
)
def test_a_revised_series_has_its_newest_values_from_the_morning_after_their_release(stub, instant, values):
    rows = macro_rows("CPIAUCSL", feed_to(stub).ask(REVISED, SINCE, paris(instant)))
    assert dict(zip(rows["observed_on"], zip(rows["value"], rows["available_at"], strict=True), strict=True)) == {
        day(observed): (value, pd.Timestamp(f"{known} 06:00", tz="Europe/Paris"))
        for observed, (value, known) in values.items()
    }


def test_a_daily_value_is_known_when_daily_values_are_printed(stub):
    rows = macro_rows("DGS10", feed_to(stub).ask(DAILY, SINCE, LATER))
    assert rows["available_at"].iloc[0] == pd.Timestamp("2024-06-07 06:00", tz="Europe/Paris")


def test_every_value_of_a_revised_series_comes_as_any_may_have_changed(stub):
    assert len(feed_to(stub).ask(REVISED, date(2024, 5, 1), LATER)) == 3


@pytest.mark.parametrize(
    ("series", "since", "instant"),
    [(DAILY, date(2024, 6, 20), LATER), (REVISED, SINCE, paris("2024-03-01 07:30"))],
)
def test_an_answer_without_an_observation_is_a_fault_that_may_pass(stub, series, since, instant):
    with pytest.raises(PassingError, match="gave no observation since"):
        feed_to(stub).ask(series, since, instant)


@pytest.mark.parametrize("fault", ["server-error", "reset", "cut-off", "truncated", "html", "null-result"])
def test_a_fault_that_may_pass_is_named_so_and_passes(stub, fault):
    feed = feed_to(stub)
    stub.inject(Fault(fault, on="fred"))
    with pytest.raises(PassingError, match="DGS10"):
        feed.ask(DAILY, SINCE, LATER)
    stub.clear()
    assert len(feed.ask(DAILY, SINCE, LATER)) == 4


@pytest.mark.parametrize("fault", ["never-answers", "trickle"])
def test_an_answer_that_does_not_end_is_cut(stub, fault):
    stub.inject(Fault(fault, on="fred"))
    with pytest.raises(PassingError, match="cut off, late or none"):
        feed_to(stub, timeout_s=0.3).ask(DAILY, SINCE, LATER)


def test_a_busy_service_says_how_long_to_wait(stub):
    stub.inject(Fault("rate-limited-retry-after", factor=9))
    with pytest.raises(RateLimitError) as raised:
        feed_to(stub).ask(DAILY, SINCE, LATER)
    assert raised.value.wait_s == 9.0


def test_an_unknown_series_is_refused_alone(stub):
    with pytest.raises(RefusedError, match="does not exist") as raised:
        feed_to(stub).ask(ABSENT, SINCE, LATER)
    assert (raised.value.rule, raised.value.whole_service) == ("unknown-to-provider", False)


def test_a_refused_key_is_refused_for_all_series(stub):
    with pytest.raises(RefusedError, match="set FRED_API_KEY") as raised:
        feed_to(stub, key="0" * 32).ask(DAILY, SINCE, LATER)
    assert (raised.value.rule, raised.value.whole_service) == ("key-refused", True)


@pytest.mark.parametrize(
    "fault", ["bad-key", "not-found", "html", "reset", "never-answers", "rate-limited", "truncated"]
)
def test_the_key_stands_in_no_text_when_something_goes_wrong(stub, caplog, fault):
    caplog.set_level(logging.DEBUG)
    stub.inject(Fault(fault, on="fred"))
    with pytest.raises((PassingError, RefusedError)) as raised:
        feed_to(stub, timeout_s=0.3).ask(DAILY, SINCE, LATER)
    told = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert stub.settings["FRED_API_KEY"] not in told
    assert raised.value.__cause__ is None


def test_a_key_that_no_address_can_hold_stands_in_no_text(stub):
    key = "a key with a\nline break in it"
    with pytest.raises(PassingError) as raised:
        feed_to(stub, key=key).ask(DAILY, SINCE, LATER)
    assert "line break" not in "".join(traceback.format_exception(raised.value))


def test_requests_are_half_a_second_apart(stub):
    feed, begun = feed_to(stub), monotonic()
    for _ in range(2):
        feed.ask(DAILY, date(2024, 6, 7), LATER)
    assert monotonic() - begun >= 0.5
    assert feed.requests == len(stub.requests) == 2


def test_no_request_is_sent_when_the_time_is_used_up(stub):
    with pytest.raises(OutOfTimeError):
        feed_to(stub, budget_s=0.0).ask(DAILY, SINCE, LATER)
    assert stub.requests == ()


def test_urllib_has_its_own_opener_again_afterwards(stub):
    feed = feed_to(stub)
    feed.ask(DAILY, SINCE, LATER)
    with urllib.request.urlopen(f"{stub.url}/yahoo/consent", timeout=5) as answer:  # noqa: S310  # our own stub
        assert answer.status == 200
    assert feed.requests == 1
