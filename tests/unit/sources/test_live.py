"""The live source as a whole: what is asked from when on, what is delivered, and what a fault costs."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.errors import SourceError
from portfolio.findings import Severity
from portfolio.sessions import CALENDAR_START, moment_at
from portfolio.sources.checks import check_batch
from portfolio.sources.live import fetch_live
from portfolio.sources.live_wire import Patience, Progress, Reach, Wire
from portfolio.universe import MacroSeries
from tests.support.days import paris
from tests.support.outside import Fault, serving
from tests.support.outside.edits import add_split
from tests.unit.sources.drawn_market import drawn_market, session
from tests.unit.sources.tables import NO_PRICES, UNIVERSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.sources.batch import Batch
    from tests.support.outside import Stub

LINE, OTHER, DRIVER, SERIES = "PE500.PA", "WPEA.PA", "^GSPC", "DGS10"
SMALL = dataclasses.replace(
    UNIVERSE,
    instruments=tuple(item for item in UNIVERSE.instruments if item.ticker in {LINE, OTHER}),
    drivers=tuple(item for item in UNIVERSE.drivers if item.symbol == DRIVER),
    macro=tuple(item for item in UNIVERSE.macro if item.series == SERIES),
)
COUNT = 12  # sessions: 3-7, 10-14, 17-18 June 2024
CLOSES = {
    LINE: [20.0 + 0.1 * place for place in range(COUNT)],
    OTHER: [5.0 + 0.01 * place for place in range(COUNT)],
    DRIVER: [5300.0 + place for place in range(COUNT)],
}
VALUES = "date,value\n2024-06-05,4.28\n2024-06-06,4.30\n2024-06-07,\n2024-06-10,4.47\n"
NOW = paris("2024-06-13 07:30")  # closes up to Wednesday 12 June are known
NOTHING = Reach({}, {})


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return drawn_market(tmp_path / "market", CLOSES, {SERIES: VALUES})


@pytest.fixture
def stub(market: Path) -> Iterator[Stub]:
    with serving(market) as stub:
        stub.at(NOW)
        yield stub


def wire_to(stub: Stub, folder: Path, *, key: str | None = None, attempts: int = 2) -> Wire:
    settings = stub.settings
    patience = Patience(timeout_s=0.5, attempts=attempts, backoff_s=0.0)
    return Wire(
        settings["PORTFOLIO_YAHOO_URL"],
        settings["PORTFOLIO_FRED_URL"],
        key or settings["FRED_API_KEY"],
        patience,
        folder / "cache",
    )


class Fetch:
    """Fetches from the stub and keeps what was told meanwhile."""

    def __init__(self, stub: Stub, folder: Path) -> None:
        self.stub, self.wire = stub, wire_to(stub, folder)
        self.told: list[Progress] = []

    def __call__(self, reach: Reach = NOTHING, now=NOW) -> Batch:
        return fetch_live(SMALL, moment_at(now), reach, self.wire, self.told.append)

    def asked_from(self, subject: str) -> date:
        query = next(request.query for request in self.stub.requests if request.subject == subject)
        if "observation_start" in query:
            return date.fromisoformat(query["observation_start"])
        return pd.Timestamp(int(query["period1"]), unit="s", tz="UTC").tz_convert("Europe/Paris").date()


@pytest.fixture
def fetch(stub: Stub, tmp_path: Path) -> Fetch:
    return Fetch(stub, tmp_path)


def newest(batch: Batch, symbol: str) -> date:
    return batch.prices.loc[batch.prices["symbol"] == symbol, "observed_on"].max().date()


def about(batch: Batch) -> dict[str, tuple[str, str]]:
    return {item.subject: (str(item.severity), item.rule) for item in batch.findings}


def test_all_that_is_known_is_delivered_and_passes_the_gate(fetch, stub):
    batch = fetch()
    assert batch.prices.groupby("symbol").size().to_dict() == {LINE: 8, OTHER: 8, DRIVER: 8}
    assert batch.macro["value"].dropna().tolist() == [4.28, 4.30, 4.47]
    assert (batch.source, batch.fetched_at, batch.findings) == ("live", moment_at(NOW).decided_at, ())
    checked = check_batch(batch, SMALL, NO_PRICES)
    assert checked.quarantined.empty
    assert (checked.prices["basis"] == "observed").all()
    assert batch.requests == len(stub.requests)


def test_the_running_days_bar_is_left_out(fetch, stub):
    stub.at(paris("2024-06-13 11:00"))
    batch = fetch(now=paris("2024-06-13 11:00"))
    assert newest(batch, LINE) == date(2024, 6, 12)


def test_the_whole_history_is_asked_for_when_nothing_is_believed(fetch):
    fetch()
    assert {fetch.asked_from(name) for name in (LINE, DRIVER, SERIES)} == {CALENDAR_START}


@pytest.mark.parametrize(
    ("believed", "since", "asked"),
    [
        (date(2024, 6, 12), None, date(2024, 5, 30)),  # ten sessions back
        (date(2024, 5, 2), None, date(2024, 5, 2)),
        (date(2024, 6, 12), date(2024, 1, 15), date(2024, 1, 15)),
        (date(2024, 5, 2), date(2024, 6, 10), date(2024, 5, 2)),  # never past what is believed
        (date(2024, 6, 12), date(2024, 6, 12), date(2024, 6, 12)),
        (None, date(2024, 1, 15), CALENDAR_START),  # else a short history would pass for the whole
        (date(2024, 6, 14), None, date(2024, 5, 30)),  # the store is ahead of an instant in the past
    ],
)
def test_a_series_is_asked_for_from_what_is_believed_of_it(fetch, believed, since, asked):
    newest_days = {LINE: believed} if believed else {}
    fetch(Reach(newest_days, {SERIES: believed} if believed else {}, since))
    assert fetch.asked_from(LINE) == fetch.asked_from(SERIES) == asked
    assert fetch.asked_from(OTHER) == CALENDAR_START  # nothing is believed of it


@pytest.mark.parametrize(
    ("fault", "severity", "rule"),
    [
        ("server-error", "warning", "fetch-failed"),
        ("never-answers", "warning", "fetch-failed"),
        ("not-found", "error", "unknown-to-provider"),
        ("utc-midnight", "error", "wrong-time-zone"),
    ],
)
def test_one_lines_fault_costs_the_others_nothing(fetch, stub, fault, severity, rule):
    stub.inject(Fault(fault, on=OTHER))
    batch = fetch()
    assert about(batch) == {OTHER: (severity, rule)}
    assert set(batch.prices["symbol"]) == {LINE, DRIVER}
    assert len(batch.macro) > 0


def test_a_fault_that_passes_leaves_no_trace(fetch, stub):
    stub.inject(Fault("reset", on=OTHER, times=1), Fault("truncated", on=SERIES, times=1))
    batch = fetch()
    assert batch.findings == ()
    assert set(batch.prices["symbol"]) == {LINE, OTHER, DRIVER}


def test_each_line_says_so_when_a_busy_service_is_left_alone(fetch, stub):
    stub.inject(Fault("rate-limited", on="chart"))
    batch = fetch()
    assert about(batch) == dict.fromkeys((LINE, OTHER, DRIVER), ("warning", "rate-limited"))
    assert len([request for request in stub.requests if request.endpoint == "chart"]) == 3  # two, a wait, one more
    assert batch.prices.empty
    assert len(batch.macro) > 0


def test_prices_are_had_without_a_key_and_one_note_says_what_lacks(fetch, stub):
    fetch.wire = dataclasses.replace(fetch.wire, fred_key=None)
    batch = fetch()
    assert [(item.severity, item.rule) for item in batch.findings] == [(Severity.INFO, "no-fred-key")]
    assert SERIES in batch.findings[0].message
    assert batch.macro.empty
    assert {request.service for request in stub.requests} == {"yahoo"}


def test_prices_are_had_when_the_key_is_refused_and_nothing_tells_it(fetch, caplog):
    wrong = "0123456789abcdef" * 2
    fetch.wire = dataclasses.replace(fetch.wire, fred_key=wrong)
    batch = fetch()
    assert about(batch) == {SERIES: ("error", "key-refused")}
    assert wrong not in f"{batch.findings}{fetch.wire}{fetch.told}{caplog.text}"


def test_the_fetch_fails_when_nothing_at_all_could_be_had(fetch, stub):
    stub.inject(Fault("server-error"))
    with pytest.raises(SourceError, match=r"brought nothing at all: .* and 1 more"):
        fetch()


def test_a_split_after_the_instant_neither_shows_nor_scales(market, tmp_path):
    add_split(market, LINE, session(LINE, 9), 4.0)
    with serving(market) as stub:
        stub.at(paris("2024-06-19 07:30"))
        batch = Fetch(stub, tmp_path)(now=NOW)
    line = batch.prices[batch.prices["symbol"] == LINE]
    assert line["close"].tolist() == CLOSES[LINE][:8]
    assert batch.actions.empty


def test_a_second_fetch_in_the_process_sees_what_is_new(fetch, stub):
    fetch()
    later = NOW + timedelta(days=1)
    stub.at(later)
    assert newest(fetch(now=later), LINE) == date(2024, 6, 13)


def test_every_question_is_told_as_it_ends(fetch, stub):
    stub.inject(Fault("not-found", on=OTHER))
    fetch()
    assert sorted((told.subject, told.rows, bool(told.fault)) for told in fetch.told) == [
        (SERIES, 4, False),
        (LINE, 8, False),
        (OTHER, 0, True),
        (DRIVER, 8, False),
    ]


def test_fred_is_asked_no_more_when_the_person_at_the_terminal_gives_up(fetch, stub):
    series = tuple(MacroSeries(series=f"NONE{place}", name="none", unit="none") for place in range(12))

    def give_up_after_a_line(told: Progress) -> None:
        if told.subject in CLOSES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_live(dataclasses.replace(SMALL, macro=series), moment_at(NOW), NOTHING, fetch.wire, give_up_after_a_line)
    assert len([request for request in stub.requests if request.service == "fred"]) < 12  # they would take 5.5 s
