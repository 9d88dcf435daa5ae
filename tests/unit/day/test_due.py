from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portfolio.day.due import is_session_day, sessions_due, sessions_missed
from portfolio.sessions import PARIS, moment_at
from portfolio.store.signals import SignalRow
from tests.support.days import paris

DAY_AT = "07:30"
NOTHING = SignalRow(
    session=date(2018, 6, 29),
    revision=1,
    decided_at=datetime(2018, 6, 29, 5, 30, tzinfo=UTC),
    recorded_at=datetime(2018, 6, 29, 5, 30, tzinfo=UTC),
    as_of=date(2018, 6, 28),
    run_id="r",
    decision="TARGET",
    model_id=None,
    batch_id=1,
    previous_session=None,
    previous_revision=None,
    answer_sha256="",
    answer="{}",
    settings_json="{}",
)


def decided(session: str) -> SignalRow:
    return replace(NOTHING, session=date.fromisoformat(session))


# now (Paris), newest decision, what is due as (session, instant in Paris); 2018-06-29 is a Friday
CASES = {
    "first morning ever": ("2018-06-29 07:30", None, [("06-29", "06-29 07:30")]),
    "an ordinary morning": ("2018-06-29 07:30", "2018-06-28", [("06-29", "06-29 07:30")]),
    "decided already, again": ("2018-06-29 08:15", "2018-06-29", [("06-29", "06-29 08:15")]),
    "closes not known yet": ("2018-06-29 05:00", "2018-06-28", []),
    "weekend": ("2018-06-30 07:30", "2018-06-29", []),
    "weekend, Friday missed": ("2018-06-30 10:00", "2018-06-28", [("06-29", "06-29 07:30")]),
    "in the session, decided": ("2018-06-29 14:00", "2018-06-29", []),
    "in the session, missed": ("2018-06-29 14:00", "2018-06-28", [("06-29", "06-29 07:30")]),
    "in the session, first start": ("2018-06-29 14:00", None, []),
    "Monday after two missed": (
        "2018-07-02 07:30",
        "2018-06-27",
        [("06-28", "06-28 07:30"), ("06-29", "06-29 07:30"), ("07-02", "07-02 07:30")],
    ),
}


@pytest.mark.parametrize(("now", "newest", "due"), CASES.values(), ids=CASES)
def test_sessions_due_are_those_nobody_decided_and_the_one_that_opens_today(now, newest, due):
    found = sessions_due(moment_at(paris(now)), decided(newest) if newest else None, DAY_AT)
    told = [(f"{item.session:%m-%d}", f"{item.instant.astimezone(PARIS):%m-%d %H:%M}") for item in found]
    assert told == due
    assert [item.made_up for item in found] == [f"{item.session}" != now[:10] or now[11:] > "09:00" for item in found]


def test_sessions_made_up_keep_their_hour_when_the_clocks_changed_meanwhile():
    found = sessions_due(moment_at(paris("2018-10-29 10:00")), decided("2018-10-25"), DAY_AT)
    assert [item.instant.astimezone(UTC).hour for item in found] == [5, 6]  # summer time, then winter time


def test_sessions_made_up_reach_back_a_month_at_most():
    found = sessions_due(moment_at(paris("2018-06-29 07:30")), decided("2017-06-29"), DAY_AT)
    assert found[0].session == date(2018, 5, 29)
    assert [item.session for item in found] == sorted(item.session for item in found)


def test_made_up_session_says_so_in_its_answer_and_one_in_time_does_not():
    late, in_time = sessions_due(moment_at(paris("2018-07-02 07:30")), decided("2018-06-28"), DAY_AT)
    assert [finding.rule for finding in late.noticed] == ["made-up"]
    assert in_time.noticed == ()


@pytest.mark.parametrize(
    ("now", "missed"),
    [("2018-06-29 07:00", []), ("2018-06-29 07:40", ["2018-06-29"]), ("2018-06-29 12:00", ["2018-06-29"])],
)
def test_session_is_missed_once_its_hour_has_passed(now, missed):
    found = sessions_missed(moment_at(paris(now)), decided("2018-06-28"), DAY_AT)
    assert [f"{item.session}" for item in found] == missed


@pytest.mark.parametrize("now", ["2018-06-29 08:30", "2018-06-29 12:00", "2018-07-02 06:30"])
def test_hold_of_the_evening_before_leaves_its_session_to_be_decided(now):
    evening = replace(decided("2018-06-29"), decision="HOLD", decided_at=paris("2018-06-28 20:00"))
    assert [item.session for item in sessions_missed(moment_at(paris(now)), evening, DAY_AT)] == [date(2018, 6, 29)]


def test_hold_of_the_morning_itself_is_tried_again_until_its_session_opens():
    morning = replace(decided("2018-06-29"), decision="HOLD", decided_at=paris("2018-06-29 07:30"))
    again = sessions_missed(moment_at(paris("2018-06-29 08:30")), morning, DAY_AT)
    assert [(item.session, item.made_up) for item in again] == [(date(2018, 6, 29), False)]
    assert sessions_missed(moment_at(paris("2018-06-29 09:30")), morning, DAY_AT) == ()
    assert sessions_due(moment_at(paris("2018-06-29 12:00")), morning, DAY_AT) == ()


def test_decided_session_is_not_missed():
    assert sessions_missed(moment_at(paris("2018-06-29 07:40")), decided("2018-06-29"), DAY_AT) == ()


@pytest.mark.parametrize(("day", "trades"), [("2018-06-29", True), ("2018-06-30", False), ("2018-12-26", False)])
def test_session_day_is_one_on_which_paris_trades(day, trades):
    for clock in ("00:30", "07:30", "12:00", "23:00"):
        assert is_session_day(moment_at(paris(f"{day} {clock}"))) is trades
