from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from portfolio.errors import SourceError
from portfolio.findings import Finding, Severity
from portfolio.sources.batch import SPLIT, Batch
from portfolio.sources.checks import CheckedBatch, blocking, check_batch, nothing_arrived
from tests.unit.sources.tables import (
    MONDAY,
    NO_ACTIONS,
    NO_MACRO,
    NO_PRICES,
    UNIVERSE,
    action_on,
    batch_of,
    closes_from,
    macro_on,
    morning_after,
    rows_on,
    sessions_from,
)

FRIDAY = date(2024, 6, 7)
CLOSES = [100.0, 101.0, 102.0, 101.5, 103.0]  # Monday to Friday


def checked(prices: pd.DataFrame, fetched_at: datetime | None = None, known: pd.DataFrame = NO_PRICES) -> CheckedBatch:
    return check_batch(batch_of(prices, fetched_at), UNIVERSE, known)


def with_last(**values: object) -> pd.DataFrame:
    """A good week with the last row's values replaced."""
    frame = closes_from(MONDAY, CLOSES)
    for column, value in values.items():
        frame[column] = pd.Series([*frame[column].tolist()[:-1], value], index=frame.index)
    return frame


def about(result: CheckedBatch, symbol: str = "^GSPC") -> list[tuple[str, str]]:
    return [(str(item.severity), item.rule) for item in result.findings if item.subject == symbol]


def test_a_good_week_is_believed_whole():
    result = checked(closes_from(MONDAY, CLOSES))
    assert result.prices.equals(closes_from(MONDAY, CLOSES))
    assert result.quarantined.empty
    assert about(result) == []


@pytest.mark.parametrize(
    ("values", "severity", "rule"),
    [
        ({"close": float("nan")}, "error", "nan-price"),
        (
            {"open": float("nan"), "high": float("nan"), "low": float("nan"), "close": float("nan")},
            "error",
            "nan-price",
        ),
        ({"close": 0.0, "low": 0.0}, "error", "non-positive-price"),
        ({"close": -103.0}, "error", "non-positive-price"),
        ({"open": 0.0}, "error", "non-positive-price"),
        ({"high": 102.0, "low": 103.5}, "error", "high-below-low"),
        ({"high": 102.0, "low": 101.0}, "error", "close-outside-range"),
        ({"high": 105.0, "low": 104.0}, "error", "close-outside-range"),
        ({"high": float("inf")}, "error", "not-a-number"),
        ({"close": "103,5"}, "error", "not-a-number"),
        ({"currency": "EUR"}, "error", "currency-mismatch"),
        ({"observed_on": pd.NaT}, "warning", "no-date"),
        ({"observed_on": pd.NaT, "available_at": pd.NaT}, "warning", "no-date"),
        ({"symbol": "^DJI"}, "warning", "unknown-symbol"),
        ({"available_at": pd.Timestamp("2024-06-07 20:00", tz="UTC")}, "error", "known-too-early"),
    ],
)
def test_a_broken_row_is_quarantined_and_the_others_kept(values: dict[str, object], severity: str, rule: str):
    result = checked(with_last(**values), morning_after(FRIDAY))
    assert result.prices["close"].tolist() == CLOSES[:-1]
    assert result.quarantined[["kind", "rule", "severity"]].to_numpy().tolist() == [["price", rule, severity]]
    assert about(result, str(values.get("symbol", "^GSPC")))[0] == (severity, rule)


def test_missing_open_high_and_low_are_no_fault():
    result = checked(with_last(open=float("nan"), high=float("nan"), low=float("nan")))
    assert len(result.prices) == 5


def test_rounding_of_the_range_is_no_fault():
    assert len(checked(with_last(high=102.95, low=102.9)).prices) == 5


def test_a_finding_says_what_where_which_rule_and_what_to_do():
    (finding, *_) = checked(with_last(high=102.0, low=103.5)).findings
    assert finding == Finding(
        Severity.ERROR,
        "high-below-low",
        "^GSPC",
        "^GSPC 2024-06-07: high must not be below low; ask the provider again; seen high 102, low 103.5.",
        FRIDAY,
        "high 102, low 103.5",
    )


def test_the_payload_is_the_row_as_it_came():
    result = checked(with_last(close="n/a"))
    payload = json.loads(result.quarantined["payload"][0])
    assert payload["close"] == "n/a"
    assert payload["observed_on"] == "2024-06-07T00:00:00"
    assert payload["volume"] == 0.0


def test_a_value_json_cannot_hold_is_kept_as_text():
    assert json.loads(checked(with_last(close=float("nan"))).quarantined["payload"][0])["close"] == "nan"


def test_a_live_row_is_set_aside_until_its_close_is_known():
    prices = closes_from(MONDAY, CLOSES)
    live = datetime(2024, 6, 7, 14, 0, tzinfo=UTC)
    evening = datetime(2024, 6, 7, 21, 0, tzinfo=UTC)
    for instant in (live, evening):
        result = checked(prices, instant)
        assert result.prices["close"].tolist() == CLOSES[:-1]
        assert about(result) == [("warning", "future-date")]
    assert len(checked(prices, morning_after(FRIDAY)).prices) == 5


def test_a_live_row_is_set_aside_even_if_it_claims_to_be_known():
    live = datetime(2024, 6, 7, 14, 0, tzinfo=UTC)
    result = checked(with_last(available_at=pd.Timestamp("2024-06-07 14:00", tz="UTC")), live)
    assert result.quarantined["rule"].tolist() == ["future-date"]


def test_a_row_of_a_later_day_is_an_error():
    result = checked(closes_from(MONDAY, CLOSES), datetime(2024, 6, 6, 5, 0, tzinfo=UTC))
    # Thursday is the day of the fetch, Friday is later
    assert about(result) == [("warning", "future-date"), ("error", "future-date")]


@pytest.mark.parametrize("day", [date(2024, 6, 1), date(2024, 6, 19), date(2024, 7, 4)])
def test_a_row_on_a_closed_day_is_set_aside(day: date):
    result = checked(rows_on([day], [100.0]))
    assert result.quarantined[["rule", "severity"]].to_numpy().tolist() == [["not-a-session", "warning"]]


def test_the_calendar_is_the_symbols_own():
    juneteenth = date(2024, 6, 19)  # Paris trades, New York doesn't
    rows = pd.concat([rows_on([juneteenth], [5.0], "WPEA.PA"), rows_on([juneteenth], [5000.0])])
    assert checked(rows).prices["symbol"].tolist() == ["WPEA.PA"]


def test_a_row_with_a_time_of_day_is_set_aside():
    rows = closes_from(MONDAY, CLOSES)
    rows["observed_on"] = [*rows["observed_on"].tolist()[:-1], pd.Timestamp("2024-06-06 22:00")]
    assert checked(rows, morning_after(FRIDAY)).quarantined["rule"].tolist() == ["not-a-session"]


def test_a_week_is_doubtful_when_it_has_a_sunday_row():
    # Paris midnight read as UTC: Monday's row says Sunday, Tuesday's says Monday ... Friday's says Thursday
    shifted = [date(2024, 6, day) for day in (9, 10, 11, 12, 13)]
    good = closes_from(MONDAY, CLOSES, "WPEA.PA")
    result = checked(pd.concat([good, rows_on(shifted, CLOSES, "WPEA.PA"), rows_on(shifted[1:], CLOSES[1:])]))
    assert result.quarantined["rule"].tolist() == ["not-a-session", *["shifted-dates"] * 4]
    assert result.prices.groupby("symbol").size().to_dict() == {"WPEA.PA": 5, "^GSPC": 4}


def test_a_week_without_a_monday_is_doubtful_when_the_week_before_has_a_saturday_row():
    # every day labelled a day late: Friday's close says Saturday, Monday's says Tuesday
    first = [date(2024, 6, day) for day in (4, 5, 6, 7, 8)]
    second = [date(2024, 6, day) for day in (11, 12, 13, 14, 15)]
    result = checked(rows_on([*first, *second], [*CLOSES, *CLOSES], "WPEA.PA"))
    # on the mornings after 4 to 7 June nobody could know of the Saturday: the doubt on them is for check_known
    assert result.prices["observed_on"].tolist() == [pd.Timestamp(day) for day in first[:4]]
    assert result.quarantined["rule"].tolist() == ["not-a-session", *["shifted-dates"] * 4, "not-a-session"]


def test_a_lone_saturday_row_spoils_no_week_that_has_a_monday():
    days = [date(2024, 6, day) for day in (7, 8, 10, 11)]
    result = checked(rows_on(days, CLOSES[:4], "WPEA.PA"))
    assert result.quarantined["rule"].tolist() == ["not-a-session"]


def test_identical_duplicates_leave_one():
    rows = closes_from(MONDAY, CLOSES)
    result = checked(pd.concat([rows, rows.tail(1)]))
    assert result.prices.equals(rows)
    assert about(result) == [("info", "duplicate-row")]


def test_conflicting_duplicates_leave_none():
    rows = closes_from(MONDAY, CLOSES)
    result = checked(pd.concat([rows, rows_on([FRIDAY], [103.4])]))
    assert result.prices["close"].tolist() == CLOSES[:-1]
    assert result.quarantined[["rule", "severity"]].to_numpy().tolist() == [["duplicate-row", "error"]] * 2


def test_a_broken_duplicate_leaves_the_good_row():
    rows = closes_from(MONDAY, CLOSES)
    result = checked(pd.concat([rows, rows_on([FRIDAY], [float("nan")])]))
    assert result.prices.equals(rows)
    assert result.quarantined["rule"].tolist() == ["nan-price"]


def test_an_old_fault_is_a_warning_and_many_are_one_finding():
    later = datetime(2024, 7, 15, 5, 30, tzinfo=UTC)
    one = checked(with_last(close=-1.0), later)
    assert about(one) == [("warning", "non-positive-price")]
    assert one.quarantined["severity"].tolist() == ["error"]
    many = checked(closes_from(MONDAY, [float("nan")] * 5), later)
    assert about(many) == [("warning", "nan-price")]
    assert "5 rows from 2024-06-03 to 2024-06-07" in many.findings[0].message


def test_many_recent_faults_are_one_error():
    result = checked(closes_from(MONDAY, [100.0] * 12, "WPEA.PA"), datetime(2024, 6, 3, 5, 30, tzinfo=UTC))
    assert about(result, "WPEA.PA") == [("error", "future-date")]
    assert len(result.quarantined) == 12


def test_an_empty_answer_is_an_error_about_the_whole():
    batch = Batch("drawn", morning_after(FRIDAY), NO_PRICES, NO_ACTIONS, NO_MACRO)
    findings = check_batch(batch, UNIVERSE, NO_PRICES).findings
    assert [(item.rule, item.subject) for item in blocking(findings, frozenset())] == [("empty-batch", "")]


def test_nothing_arrived_when_no_price_is_believed():
    empty = Batch("drawn", morning_after(FRIDAY), NO_PRICES, NO_ACTIONS, NO_MACRO)
    assert nothing_arrived(check_batch(empty, UNIVERSE, NO_PRICES).findings)
    broken = checked(closes_from(MONDAY, [float("nan")] * 5), morning_after(FRIDAY))
    assert nothing_arrived(broken.findings)
    assert "5 prices of which none is believed" in broken.findings[-1].message
    assert not nothing_arrived(checked(closes_from(MONDAY, [100.0])).findings)
    assert not nothing_arrived(())


def test_a_symbol_without_rows_is_an_error_about_it():
    findings = checked(closes_from(MONDAY, CLOSES)).findings
    absent = {item.subject for item in findings if item.rule == "no-rows" and item.severity is Severity.ERROR}
    assert absent == set(UNIVERSE.exchanges) - {"^GSPC"}


def test_a_frame_without_a_column_is_refused():
    with pytest.raises(SourceError, match="prices frame lacks close"):
        checked(closes_from(MONDAY, CLOSES).drop(columns="close"))


def test_the_batch_is_not_modified():
    rows = with_last(close=-1.0)
    before = rows.copy(deep=True)
    checked(rows)
    assert rows.equals(before)


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        ("merger", 2.0, "unknown-action"),
        (SPLIT, 0.0, "bad-action-value"),
        ("dividend", float("nan"), "bad-action-value"),
    ],
)
def test_a_broken_action_is_quarantined(kind: str, value: float, rule: str):
    actions = pd.concat([action_on(MONDAY, "dividend", 0.4), action_on(FRIDAY, kind, value)])
    result = check_batch(batch_of(closes_from(MONDAY, CLOSES), actions=actions), UNIVERSE, NO_PRICES)
    assert result.actions.equals(action_on(MONDAY, "dividend", 0.4))
    assert result.quarantined[["kind", "rule"]].to_numpy().tolist() == [["action", rule]]


def test_a_dividend_that_came_twice_is_kept_once():
    actions = pd.concat([action_on(FRIDAY, "dividend", 0.4)] * 2)
    result = check_batch(batch_of(closes_from(MONDAY, CLOSES), actions=actions), UNIVERSE, NO_PRICES)
    assert len(result.actions) == 1
    assert result.quarantined["rule"].tolist() == ["duplicate-row"]


def test_macro_rows_are_checked_and_a_row_without_a_value_is_no_row():
    days = [MONDAY, date(2024, 6, 4), date(2024, 6, 5), date(2024, 6, 6)]
    macro = pd.concat([macro_on(days, [13.0, float("nan"), float("inf"), 12.6]), macro_on(days[:1], [1.0], "UNRATE")])
    result = check_batch(batch_of(closes_from(MONDAY, CLOSES), macro=macro), UNIVERSE, NO_PRICES)
    # the value of Thursday 6th is printed on Friday and known on Saturday morning, when the batch was fetched
    assert result.macro["value"].tolist() == [13.0, 12.6]
    assert result.quarantined[["symbol", "rule"]].to_numpy().tolist() == [
        ["VIXCLS", "not-a-number"],
        ["UNRATE", "unknown-series"],
    ]


def test_a_macro_value_is_set_aside_when_it_was_not_yet_printed():
    macro = macro_on([date(2024, 6, 6)], [12.6])
    prices = closes_from(MONDAY, CLOSES[:4])
    result = check_batch(batch_of(prices, macro=macro), UNIVERSE, NO_PRICES)
    assert result.quarantined[["kind", "rule"]].to_numpy().tolist() == [["macro", "future-date"]]


def test_only_errors_about_what_is_needed_block():
    drawn = [
        Finding(Severity.ERROR, "nan-price", "^GSPC", "m"),
        Finding(Severity.ERROR, "nan-price", "PAEEM.PA", "m"),
        Finding(Severity.WARNING, "nan-price", "^NDX", "m"),
        Finding(Severity.ERROR, "empty-batch", "", "m"),
    ]
    assert blocking(drawn, frozenset({"^GSPC", "^NDX"})) == (drawn[0], drawn[3])


@pytest.mark.parametrize(
    ("values", "flipped"),
    [
        ([15.0, 1510.0, 15.2], [1510.0]),
        ([4.2, 0.042, 4.3], [0.042]),
        ([4.2, 430.0, 431.0], [430.0, 431.0]),  # each is compared with the last value of the old unit
        ([17.3, 37.3], []),  # the VIX of 2018-02-05
        ([0.01, 0.52, -0.3], []),  # a spread that crosses zero
        ([0.5, float("nan"), 51.0], [51.0]),
    ],
)
def test_a_macro_value_is_set_aside_when_it_is_of_another_unit(values: list[float], flipped: list[float]):
    days = sessions_from(MONDAY, len(values), "^GSPC")
    prices = closes_from(MONDAY, [100.0 + place for place in range(6)])
    result = check_batch(batch_of(prices, macro=macro_on(days, values)), UNIVERSE, NO_PRICES)
    set_aside = result.quarantined[result.quarantined["rule"] == "unit-flip"]
    assert [json.loads(payload)["value"] for payload in set_aside["payload"]] == flipped
