"""Rows in quarantine against the rows believed: when a doubt blocks, and when it ends."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from portfolio.findings import Severity
from portfolio.sources.checks import check_batch
from portfolio.sources.checks_doubt import CONTRADICTING, doubtful_prices
from tests.unit.sources.tables import (
    MONDAY,
    NO_PRICES,
    UNIVERSE,
    batch_of,
    closes_from,
    morning_after,
    rows_on,
    sessions_from,
)

WEEK = sessions_from(MONDAY, 5, "^GSPC")
FRIDAY = WEEK[-1]
GOOD = [100.0, 101.0, 102.0, 101.0, 103.0]


def believed(batch_ids: list[int] | int = 1) -> pd.DataFrame:
    return closes_from(MONDAY, GOOD).assign(batch_id=batch_ids)


def doubts(
    rows: pd.DataFrame, doubted: pd.DataFrame, sessions: list[date] = WEEK
) -> list[tuple[str, date | None, str | None]]:
    found = doubtful_prices("^GSPC", rows, doubted, sessions)
    assert {item.rule for item in found} <= {"doubtful-price"}
    return [
        (str(item.severity), item.session, item.value) for item in doubtful_prices("^GSPC", rows, doubted, sessions)
    ]


def quarantined(rule: str, day: date = FRIDAY, batch_id: int = 2, severity: str = "error") -> pd.DataFrame:
    """A record as the checks make it, under another rule."""
    record = check_batch(batch_of(rows_on([day], [-1.0])), UNIVERSE, NO_PRICES).quarantined
    return record.assign(rule=rule, severity=severity, batch_id=batch_id)


@pytest.mark.parametrize("rule", sorted(CONTRADICTING))
def test_a_later_row_that_contradicts_the_believed_one_blocks(rule: str):
    assert doubts(believed(), quarantined(rule)) == [("error", FRIDAY, rule)]


@pytest.mark.parametrize("rule", ["nan-price", "future-date", "known-too-early", "not-a-session", "no-date"])
def test_a_row_that_says_nothing_about_the_close_blocks_nothing(rule: str):
    assert doubts(believed(), quarantined(rule)) == []


def test_the_same_row_twice_is_no_contradiction():
    assert doubts(believed(), quarantined("duplicate-row", severity="info")) == []


@pytest.mark.parametrize("believed_in", [2, 3])
def test_the_doubt_ends_when_the_day_is_believed_in_a_later_batch(believed_in: int):
    assert doubts(believed([1, 1, 1, 1, believed_in]), quarantined("jump")) == []


def test_the_doubt_ends_when_the_day_is_not_among_the_last_sessions():
    rows = quarantined("restated", day=MONDAY)
    assert doubts(believed(), rows) == [("error", MONDAY, "restated")]
    assert doubts(believed(), rows, WEEK[1:]) == []


def test_a_day_is_told_once_however_often_it_was_doubted():
    rows = pd.concat([quarantined("jump", batch_id=2), quarantined("unit-flip", batch_id=3)])
    assert doubts(believed(), rows) == [("error", FRIDAY, "unit-flip")]


def test_a_doubt_says_nothing_when_the_batches_are_not_known():
    assert doubts(believed().drop(columns="batch_id"), quarantined("jump")) == []
    assert doubts(believed(), quarantined("jump").drop(columns="batch_id")) == []


def test_a_day_without_a_believed_row_is_doubtful_whatever_the_batch():
    assert doubts(believed().drop(index=4), quarantined("nan-price", batch_id=1)) == [("error", FRIDAY, "nan-price")]


def test_the_finding_says_what_to_do():
    (finding,) = doubtful_prices("^GSPC", believed(), quarantined("jump"), WEEK)
    assert finding.severity is Severity.ERROR
    assert "`portfolio update`" in finding.message


def saturday_row(batch_id: int, day: date = date(2024, 6, 8)) -> pd.DataFrame:
    checked = check_batch(batch_of(rows_on([day], [103.0]), morning_after(day)), UNIVERSE, NO_PRICES)
    assert checked.quarantined["rule"].tolist() == ["not-a-session"]
    return checked.quarantined.assign(batch_id=batch_id)


def test_a_saturday_row_throws_doubt_on_its_week():
    assert doubts(believed(1), saturday_row(1)) == [("error", FRIDAY, "shifted-dates")]
    assert doubts(believed(1), saturday_row(2)) == [("error", FRIDAY, "shifted-dates")]


def test_the_doubt_of_a_saturday_ends_when_its_week_is_believed_in_a_later_batch():
    assert doubts(believed([1, 1, 1, 2, 2]), saturday_row(1)) == [("error", date(2024, 6, 5), "shifted-dates")]
    assert doubts(believed(2), saturday_row(1)) == []


def test_the_doubt_of_a_saturday_ends_when_its_week_is_over_for_a_week():
    week_after = sessions_from(date(2024, 6, 10), 5, "^GSPC")
    rows = pd.concat([believed(1), rows_on(week_after, GOOD).assign(batch_id=2)])
    assert doubts(rows, saturday_row(1), week_after) == []
    assert doubts(rows, saturday_row(1), [FRIDAY, *week_after[:4]]) == [("error", FRIDAY, "shifted-dates")]


def test_a_row_on_another_closed_day_throws_no_doubt():
    rows = quarantined("not-a-session", day=date(2024, 6, 9))  # a Sunday: the checks distrust the week after it
    assert doubts(believed(1), rows) == []
