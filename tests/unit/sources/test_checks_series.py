from __future__ import annotations

from datetime import UTC, date, datetime
from math import nan

import pandas as pd
import pytest

from portfolio.findings import Severity
from portfolio.sessions import Moment, moment_at
from portfolio.sources.batch import RECONSTRUCTED
from portfolio.sources.checks import Freshness, blocking, check_batch, check_known, freshness
from portfolio.universe import Universe
from tests.unit.sources.tables import (
    MONDAY,
    NO_MACRO,
    NO_PRICES,
    NO_QUARANTINE,
    UNIVERSE,
    batch_of,
    closes_from,
    macro_on,
    morning_after,
    rows_on,
    sessions_from,
)

DRIVER = next(item for item in UNIVERSE.drivers if item.symbol == "^GSPC")
SMALL = Universe(tuple(item for item in UNIVERSE.instruments if item.ticker == "WPEA.PA"), (DRIVER,), UNIVERSE.macro)
FRIDAY = date(2024, 6, 7)
SATURDAY_MORNING = moment_at(morning_after(FRIDAY))
NOTHING: frozenset[str] = frozenset()


def known(
    prices: pd.DataFrame,
    moment: Moment = SATURDAY_MORNING,
    quarantined: pd.DataFrame = NO_QUARANTINE,
    macro: pd.DataFrame = NO_MACRO,
    wanted: frozenset[str] = NOTHING,
) -> list[tuple[str, str, str, date | None, str | None]]:
    findings = check_known(prices, macro, quarantined, SMALL, moment, wanted)
    return [(str(item.severity), item.rule, item.subject, item.session, item.value) for item in findings]


def both(index: pd.DataFrame, line: pd.DataFrame | None = None) -> pd.DataFrame:
    """The index's rows beside a line that has nothing wrong."""
    return pd.concat([index, closes_from(MONDAY, [5.0, 5.1, 5.2, 5.1, 5.3], "WPEA.PA") if line is None else line])


GOOD = [100.0, 101.0, 102.0, 101.0, 103.0]


def test_a_whole_fresh_week_has_no_finding():
    assert known(both(closes_from(MONDAY, GOOD))) == []


def test_a_series_that_ends_a_session_early_is_stale():
    assert known(both(closes_from(MONDAY, GOOD[:4]))) == [("error", "stale-series", "^GSPC", FRIDAY, "1")]


def test_a_series_without_rows_is_an_error():
    assert known(closes_from(MONDAY, GOOD)) == [("error", "no-series", "WPEA.PA", None, None)]
    assert [item[1] for item in known(NO_PRICES)] == ["no-series", "no-series"]


def test_the_evening_is_stale_when_the_close_is_not_known_yet():
    evening = moment_at(datetime(2024, 6, 7, 18, 0, tzinfo=UTC))  # Paris has closed, so Friday is already as_of
    assert evening.as_of == FRIDAY
    assert [item[1] for item in known(both(closes_from(MONDAY, GOOD[:4])), evening)] == ["stale-series"]


def test_each_exchange_has_its_own_expected_day():
    # 1 May 2024: Paris is closed, New York trades. On the 2nd in the morning the index must reach the 1st.
    moment = moment_at(datetime(2024, 5, 2, 5, 30, tzinfo=UTC))
    days = sessions_from(date(2024, 4, 26), 4, "^GSPC")
    assert days[-1] == date(2024, 5, 1)
    line = closes_from(date(2024, 4, 26), [5.0, 5.1, 5.2], "WPEA.PA")
    assert known(both(rows_on(days, GOOD[:4]), line), moment) == []
    assert [item[1:4] for item in known(both(rows_on(days[:3], GOOD[:3]), line), moment)] == [
        ("stale-series", "^GSPC", date(2024, 5, 1))
    ]


def test_a_missing_session_of_a_line_is_a_warning_when_recent():
    gap = both(closes_from(MONDAY, GOOD), closes_from(MONDAY, [5.0, 5.1, 5.2, 5.1, 5.3], "WPEA.PA").drop(index=2))
    assert known(gap) == [("warning", "missing-session", "WPEA.PA", date(2024, 6, 5), None)]


def test_a_missing_session_of_a_line_is_an_error_when_it_is_the_newest_needed():
    # the last session up to as_of (Wednesday) lacks while the day after, known on Friday morning, is there
    thursday_noon = moment_at(datetime(2024, 6, 6, 10, 0, tzinfo=UTC))
    assert thursday_noon.as_of == date(2024, 6, 5)
    line = closes_from(MONDAY, [5.0, 5.1, 5.2, 5.3], "WPEA.PA").drop(index=2)
    assert known(both(closes_from(MONDAY, GOOD[:4]), line), thursday_noon) == [
        ("error", "missing-session", "WPEA.PA", date(2024, 6, 5), None)
    ]


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        # counted back from the newest session (1); the newest itself is a stale series, not a gap
        ([2], [("error", 2)]),
        ([5], [("error", 5)]),
        ([6], [("warning", 6)]),
        ([22], [("warning", 22)]),
        ([22, 6], [("error", 22), ("error", 6)]),  # two of the volatility's 22
        ([23, 6], [("warning", 6), ("warning", 23)]),  # the older one is only counted: 1 of 40 is over 1 %
        ([24, 23], [("warning", 23)]),
    ],
)
def test_missing_sessions_of_a_driver_block_in_the_window_they_count_in(
    lacking: list[int], expected: list[tuple[str, int]]
):
    days = sessions_from(MONDAY, 40, "^GSPC")
    index = rows_on(days, [100.0 + place % 3 for place in range(40)])
    line = closes_from(MONDAY, [5.0 + place % 3 for place in range(60)], "WPEA.PA")
    prices = both(index.drop(index=[40 - back for back in lacking]), line[line["observed_on"] <= str(days[-1])])
    found = known(prices, moment_at(morning_after(days[-1])))
    assert [(item[0], item[3]) for item in found if item[1] == "missing-session"] == [
        (severity, days[-back]) for severity, back in expected
    ]


@pytest.mark.parametrize(("dropped", "severity"), [([3], "info"), ([3, 9, 14], "warning")])
def test_old_missing_sessions_are_counted(dropped: list[int], severity: str):
    closes = [100.0 + day % 3 for day in range(200)]
    line = closes_from(MONDAY, [5.0 + day % 3 for day in range(215)], "WPEA.PA")
    index = closes_from(MONDAY, closes)
    moment = moment_at(morning_after(index["observed_on"].max().date()))
    line = line[line["observed_on"] <= index["observed_on"].max()]
    found = known(both(index.drop(index=dropped), line), moment)
    last = sessions_from(MONDAY, 20, "^GSPC")[dropped[-1]]
    assert found == [(severity, "missing-session", "^GSPC", last, str(len(dropped)))]


@pytest.mark.parametrize(
    ("closes", "driver", "line"),
    [
        ([100, 101, 102, 102, 103], [("info", "1")], []),
        ([100, 101, 102, 103, 103], [("error", "2")], []),
        ([100, 101, 103, 103, 103], [("error", "3")], [("error", "3")]),
        ([103, 103, 103, 103, 103], [("error", "5")], [("error", "5")]),
        ([100, 100, 100, 101, 102], [("info", "1")], [("info", "1")]),
        ([100, 100, 100, 101, 101], [("error", "2"), ("info", "1")], [("info", "1")]),
    ],
)
def test_equal_closes_are_a_stuck_feed(closes: list[float], driver: list[tuple[str, str]], line: list[tuple[str, str]]):
    def carried(symbol: str, rows: pd.DataFrame) -> list[tuple[str, str | None]]:
        assert {item[1] for item in known(rows)} <= {"carried-forward"}
        return [(item[0], item[4]) for item in known(rows) if item[2] == symbol]

    traded = closes_from(MONDAY, closes, "WPEA.PA").assign(volume=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert carried("^GSPC", both(closes_from(MONDAY, closes))) == driver
    assert carried("WPEA.PA", both(closes_from(MONDAY, GOOD), traded)) == line


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ({}, True),
        ({"volume": 2.0}, False),
        ({"open": 5.0}, False),
        ({"volume": float("nan")}, True),  # given on one day only: not compared
        ({"open": float("nan"), "high": float("nan"), "low": float("nan")}, False),
    ],
)
def test_a_line_is_suspect_at_two_rows_when_the_whole_row_repeats(last: dict[str, float], *, found: bool):
    line = closes_from(MONDAY, [5.0, 5.1, 5.2, 5.3, 5.3], "WPEA.PA")
    for column, value in last.items():
        line.loc[4, column] = value
    expected = [("warning", "carried-forward", "WPEA.PA", FRIDAY, "2")] if found else []
    assert known(both(closes_from(MONDAY, GOOD), line)) == expected


def test_two_equal_closes_alone_are_no_repeated_row():
    line = closes_from(MONDAY, [5.0, 5.1, 5.2, 5.3, 5.3], "WPEA.PA").assign(open=nan, high=nan, low=nan, volume=nan)
    assert known(both(closes_from(MONDAY, GOOD), line)) == []


def test_a_stuck_driver_blocks_the_day():
    findings = check_known(
        both(closes_from(MONDAY, [*GOOD[:4], GOOD[3]])), NO_MACRO, NO_QUARANTINE, SMALL, SATURDAY_MORNING, NOTHING
    )
    assert [item.rule for item in blocking(findings, frozenset({"^GSPC"}))] == ["carried-forward"]


def test_equal_closes_of_a_reconstructed_line_are_no_finding():
    line = rows_on(sessions_from(MONDAY, 5, "WPEA.PA"), [5.0] * 5, "WPEA.PA", basis=RECONSTRUCTED)
    assert known(both(closes_from(MONDAY, GOOD), line)) == []


def quarantine_of(prices: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    checked = check_batch(batch_of(prices), UNIVERSE, NO_PRICES)
    return checked.prices, checked.quarantined


def test_a_doubtful_newest_price_blocks_what_needs_it():
    prices, quarantined = quarantine_of(both(closes_from(MONDAY, [*GOOD[:4], 80.0])))
    findings = check_known(prices, NO_MACRO, quarantined, SMALL, SATURDAY_MORNING, NOTHING)
    assert {item.rule for item in blocking(findings, frozenset({"^GSPC"}))} == {"stale-series", "doubtful-price"}
    assert blocking(findings, frozenset({"WPEA.PA"})) == ()


def test_a_doubtful_price_is_settled_when_another_row_of_the_day_is_believed():
    _, quarantined = quarantine_of(both(closes_from(MONDAY, [*GOOD[:4], 10300.0])))
    assert len(quarantined) == 1
    assert known(both(closes_from(MONDAY, GOOD)), quarantined=quarantined) == []


def test_an_old_doubtful_price_is_a_note():
    closes = [100.0, 101.0, 80.0, 100.0, 101.0, 102.0, 101.0, 100.0, 101.0, 102.0]
    prices, quarantined = quarantine_of(both(closes_from(MONDAY, closes), closes_from(MONDAY, closes, "WPEA.PA")))
    moment = moment_at(morning_after(prices["observed_on"].max().date()))
    found = check_known(prices, NO_MACRO, quarantined, SMALL, moment, NOTHING)
    assert [(item.severity, item.rule) for item in found] == [
        (Severity.WARNING, "missing-session"),
        (Severity.INFO, "doubtful-price"),
    ] * 2
    assert blocking(found, frozenset({"^GSPC", "WPEA.PA"})) == ()


def test_a_live_row_in_quarantine_blocks_nothing():
    # fetched on Friday afternoon, with Friday's live row; the decision stands on Thursday
    instant = datetime(2024, 6, 7, 10, 0, tzinfo=UTC)
    checked = check_batch(batch_of(both(closes_from(MONDAY, GOOD)), instant), UNIVERSE, NO_PRICES)
    assert len(checked.quarantined) == 2
    assert known(checked.prices, moment_at(instant), checked.quarantined) == []


def test_a_row_on_a_closed_day_in_quarantine_blocks_nothing():
    sunday = rows_on([date(2024, 6, 2)], [99.0])
    checked = check_batch(batch_of(both(sunday)), UNIVERSE, NO_PRICES)
    assert known(both(closes_from(MONDAY, GOOD)), quarantined=checked.quarantined) == []


# On Saturday morning the newest macro value that can be known is Thursday's, printed on Friday.
@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (date(2024, 6, 6), []),
        (date(2024, 6, 5), [("warning", "carried-macro", "1")]),
        (date(2024, 6, 3), [("warning", "carried-macro", "3")]),
        (date(2024, 5, 31), [("error", "stale-series", "4")]),
    ],
)
def test_a_macro_series_may_be_carried_three_sessions(last: date, expected: list[tuple[str, str, str]]):
    macro = macro_on([date(2024, 5, 29), last], [13.0, 12.5])
    prices = both(closes_from(MONDAY, GOOD))
    found = known(prices, macro=macro, wanted=frozenset({"VIXCLS"}))
    assert [(item[0], item[1], item[4]) for item in found] == expected
    assert known(prices, macro=macro) == []  # nobody wants it
    findings = check_known(prices, macro, NO_QUARANTINE, SMALL, SATURDAY_MORNING, frozenset({"VIXCLS"}))
    assert blocking(findings, frozenset({"^GSPC", "WPEA.PA"})) == ()
    assert len(blocking(findings, frozenset({"VIXCLS"}))) == (expected[:1] != [] and expected[0][0] == "error")


def test_freshness_tells_the_newest_and_the_expected_day():
    states = freshness(closes_from(MONDAY, GOOD[:3]), NO_MACRO, SMALL, SATURDAY_MORNING, frozenset({"VIXCLS", "DGS10"}))
    thursday = date(2024, 6, 6)
    assert states == (
        Freshness("WPEA.PA", "price", None, FRIDAY, None, ""),
        Freshness("^GSPC", "price", date(2024, 6, 5), FRIDAY, 2, "observed"),
        Freshness("DGS10", "macro", None, thursday, None, ""),
        Freshness("VIXCLS", "macro", None, thursday, None, ""),
    )


def test_the_frames_are_not_modified():
    prices = both(closes_from(MONDAY, GOOD)).sample(frac=1.0, random_state=1)
    before = prices.copy(deep=True)
    assert known(prices) == []
    assert prices.equals(before)
