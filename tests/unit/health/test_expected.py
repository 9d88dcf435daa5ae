"""What should be there by now, from a drawn calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from portfolio.health.expected import Calendars, at_paris, due_nightly, known_from
from portfolio.sessions import price_known_at

MON, TUE, WED, THU, FRI = (date(2024, 3, day) for day in (25, 26, 27, 28, 29))
NEXT_TUE = date(2024, 4, 2)  # Good Friday and Easter Monday: Paris is closed


def opens(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


SESSIONS = {
    "XPAR": [(day, opens(day, 8)) for day in (MON, TUE, WED, THU)] + [(NEXT_TUE, opens(NEXT_TUE, 7))],
    "XNYS": [(day, opens(day, 13)) for day in (MON, TUE, WED, THU, date(2024, 4, 1), NEXT_TUE)],
}


@pytest.mark.parametrize(
    ("instant", "opened", "paris", "new_york"),
    [
        (datetime(2024, 3, 27, 7, 59, tzinfo=UTC), TUE, MON, MON),  # before Wednesday's open
        (datetime(2024, 3, 27, 8, 0, tzinfo=UTC), WED, TUE, TUE),
        (datetime(2024, 3, 30, 12, 0, tzinfo=UTC), THU, WED, WED),  # the long weekend asks for nothing new
        (datetime(2024, 4, 2, 7, 0, tzinfo=UTC), NEXT_TUE, THU, date(2024, 4, 1)),  # New York traded on Easter Monday
    ],
)
def test_expected_day_is_what_the_newest_opened_session_could_have_known(instant, opened, paris, new_york):
    calendars = Calendars(SESSIONS, instant)
    newest = calendars.last_opened()
    assert newest is not None
    assert newest[0] == opened
    assert (calendars.expected_on("XPAR"), calendars.expected_on("XNYS")) == (paris, new_york)


def test_behind_counts_the_sessions_that_are_missing():
    calendars = Calendars(SESSIONS, datetime(2024, 4, 2, 7, 0, tzinfo=UTC))
    assert calendars.behind("XNYS", WED, calendars.expected_on("XNYS")) == 2
    assert calendars.behind("XPAR", THU, calendars.expected_on("XPAR")) == 0


def test_calendar_that_has_ended_is_told_from_one_that_goes_on():
    assert Calendars(SESSIONS, datetime(2024, 4, 1, tzinfo=UTC)).reaches_now
    assert not Calendars(SESSIONS, datetime(2024, 6, 1, tzinfo=UTC)).reaches_now
    assert Calendars({}, datetime(2024, 6, 1, tzinfo=UTC)).last_opened() is None


@pytest.mark.parametrize("day", [date(2024, 1, 31), date(2024, 3, 30), date(2024, 7, 1), date(2024, 10, 26)])
def test_known_from_is_the_same_instant_as_the_sessions_module_says(day):
    assert known_from(day) == price_known_at([day])[0]


HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2024, 3, 27, 6, 59, tzinfo=UTC), at_paris(TUE, "07:30")),  # 07:59 in Paris
        (datetime(2024, 3, 27, 7, 0, tzinfo=UTC), at_paris(WED, "07:30")),
        (datetime(2024, 3, 31, 12, 0, tzinfo=UTC), at_paris(THU, "07:30")),  # a holiday, then a weekend
        (datetime(2024, 4, 2, 5, 59, tzinfo=UTC), at_paris(THU, "07:30")),
        (datetime(2024, 4, 2, 6, 0, tzinfo=UTC), at_paris(NEXT_TUE, "07:30")),  # summer time since Sunday
        (datetime(2024, 3, 25, 5, 0, tzinfo=UTC), None),  # before the calendar begins
        (datetime(2024, 6, 1, 12, 0, tzinfo=UTC), None),  # after it has ended
    ],
)
def test_flow_of_session_mornings_is_due_half_an_hour_after_its_time_in_paris(now, due):
    assert Calendars(SESSIONS, now).due_on_sessions("07:30", HALF_AN_HOUR) == due


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2024, 3, 30, 21, 44, tzinfo=UTC), datetime(2024, 3, 29, 21, 15, tzinfo=UTC)),
        (datetime(2024, 3, 30, 21, 45, tzinfo=UTC), datetime(2024, 3, 30, 21, 15, tzinfo=UTC)),
        (datetime(2024, 3, 31, 20, 45, tzinfo=UTC), datetime(2024, 3, 31, 20, 15, tzinfo=UTC)),  # summer time
        (datetime(2024, 3, 31, 22, 5, tzinfo=UTC), datetime(2024, 3, 31, 20, 15, tzinfo=UTC)),  # past midnight in Paris
    ],
)
def test_flow_of_every_night_is_due_half_an_hour_after_its_time_in_paris(now, due):
    assert due_nightly("22:15", HALF_AN_HOUR, now) == due


def test_newest_open_by_an_instant_is_known_when_there_is_one():
    calendars = Calendars(SESSIONS, datetime(2024, 4, 2, 7, 0, tzinfo=UTC))
    assert calendars.opened_before(datetime(2024, 4, 1, 12, 0, tzinfo=UTC)) == opens(THU, 8)
    assert calendars.opened_before(opens(MON, 8)) == opens(MON, 8)
    assert calendars.opened_before(opens(MON, 7)) is None
