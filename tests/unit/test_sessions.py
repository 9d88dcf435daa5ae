"""Where an instant stands among the sessions, and from when an observation could be known."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from portfolio.errors import UsageError
from portfolio.sessions import (
    PARIS,
    calendar_rows,
    last_session_on_or_before,
    macro_known_at,
    moment_at,
    price_known_at,
    sessions_apart,
    sessions_between,
)


@pytest.mark.parametrize(
    ("paris", "session", "as_of"),
    [
        ((2019, 1, 2, 7, 30), date(2019, 1, 2), date(2018, 12, 31)),  # the morning after New Year
        ((2019, 1, 2, 8, 59), date(2019, 1, 2), date(2018, 12, 31)),
        ((2019, 1, 2, 9, 0), date(2019, 1, 3), date(2018, 12, 31)),  # the open itself is too late to act on
        ((2019, 1, 2, 12, 0), date(2019, 1, 3), date(2018, 12, 31)),  # still trading: not completed
        ((2019, 1, 2, 17, 30), date(2019, 1, 3), date(2019, 1, 2)),  # Euronext closes at 17:30
        ((2018, 12, 31, 14, 5), date(2019, 1, 2), date(2018, 12, 31)),  # a half day closes at 14:05
        ((2019, 4, 19, 12, 0), date(2019, 4, 23), date(2019, 4, 18)),  # Good Friday, then Easter Monday
        ((2019, 4, 23, 7, 0), date(2019, 4, 23), date(2019, 4, 18)),
        ((2020, 5, 1, 8, 0), date(2020, 5, 4), date(2020, 4, 30)),  # Labour Day, a Friday
        ((2021, 3, 28, 2, 30), date(2021, 3, 29), date(2021, 3, 26)),  # the night the clocks go forward
        ((2021, 10, 31, 2, 30), date(2021, 11, 1), date(2021, 10, 29)),  # the night they go back
    ],
)
def test_moment_is_the_next_open_and_the_last_close(paris, session, as_of):
    moment = moment_at(datetime(*paris, tzinfo=PARIS))
    assert (moment.session, moment.as_of) == (session, as_of)
    assert moment.decided_at.tzinfo == UTC


@pytest.mark.parametrize("instant", [datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)])
def test_moment_is_refused_when_the_calendar_does_not_reach_it(instant):
    with pytest.raises(UsageError, match="outside the XPAR calendar"):
        moment_at(instant)


def test_moment_is_refused_when_the_instant_has_no_zone():
    with pytest.raises(UsageError, match="no time zone"):
        moment_at(datetime(2019, 1, 2, 7, 30))  # noqa: DTZ001  # what is refused


@pytest.mark.parametrize(
    ("day", "known"),
    [
        (date(2018, 12, 31), datetime(2019, 1, 1, 5, 0, tzinfo=UTC)),  # 06:00 in Paris, winter
        (date(2018, 7, 2), datetime(2018, 7, 3, 4, 0, tzinfo=UTC)),  # summer
        (date(2021, 3, 27), datetime(2021, 3, 28, 4, 0, tzinfo=UTC)),  # the clocks went forward that night
    ],
)
def test_price_is_known_from_six_in_paris_on_the_next_day(day, known):
    assert price_known_at([day])[0] == known


@pytest.mark.parametrize(
    ("day", "known"),
    [
        (date(2018, 12, 27), datetime(2018, 12, 29, 5, 0, tzinfo=UTC)),  # Thursday: printed Friday evening
        (date(2018, 12, 28), datetime(2019, 1, 1, 5, 0, tzinfo=UTC)),  # Friday: printed on Monday the 31st
        (date(2018, 12, 31), datetime(2019, 1, 3, 5, 0, tzinfo=UTC)),  # New Year's Day does not print
        # New York trades on federal holidays on which FRED prints nothing
        (date(2018, 10, 5), datetime(2018, 10, 10, 4, 0, tzinfo=UTC)),  # Friday before Columbus Day
        (date(2018, 10, 8), datetime(2018, 10, 10, 4, 0, tzinfo=UTC)),  # that Monday's own value is as late
        (date(2018, 11, 9), datetime(2018, 11, 14, 5, 0, tzinfo=UTC)),  # Veterans Day, a Sunday, kept on Monday
        (date(2021, 12, 30), datetime(2022, 1, 4, 5, 0, tzinfo=UTC)),  # New Year 2022 is kept on Friday the 31st
    ],
)
def test_macro_value_is_known_a_new_york_day_later_than_a_price(day, known):
    assert macro_known_at([day])[0] == known
    assert macro_known_at([day])[0] > price_known_at([day])[0]


def test_macro_value_of_the_calendars_last_day_still_has_an_instant():
    last = sessions_between("XNYS", date(2000, 1, 1), date(2200, 1, 1))[-1]
    assert macro_known_at([last])[0] > price_known_at([last])[0]


def test_macro_instants_never_go_back_and_thirty_years_are_placed_in_a_moment():
    days = sessions_between("XNYS", date(1995, 1, 1), date(2025, 1, 1))
    macro_known_at(days[:1])  # reads the calendar
    begun = time.perf_counter()
    instants = macro_known_at(days)
    assert time.perf_counter() - begun < 1.0
    assert instants.is_monotonic_increasing
    # one day in about 126 shares its instant with the day before: two federal holidays a year on which New York trades
    assert 40 <= len(days) - instants.nunique() <= 70


def test_sessions_are_counted_over_holidays():
    assert sessions_between("XPAR", date(2018, 12, 24), date(2019, 1, 2)) == [
        date(2018, 12, 24),
        date(2018, 12, 27),
        date(2018, 12, 28),
        date(2018, 12, 31),
        date(2019, 1, 2),
    ]
    assert sessions_apart("XPAR", date(2018, 12, 31), date(2019, 1, 2)) == 1
    assert sessions_apart("XNYS", date(2018, 12, 31), date(2018, 12, 31)) == 0
    assert last_session_on_or_before("XNYS", date(2019, 1, 1)) == date(2018, 12, 31)


def test_calendar_rows_hold_both_exchanges_up_to_the_day_asked():
    rows = calendar_rows(date(2019, 1, 2))
    assert set(rows["exchange"]) == {"XPAR", "XNYS"}
    assert rows["session"].max().date() == date(2019, 1, 2)
    assert (rows["closes_at"] > rows["opens_at"]).all()
