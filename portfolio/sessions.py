"""Trading calendars.

Comes in: an instant. Goes out: the session acted on, the last completed one, and the instant from which
an observation could be known.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import exchange_calendars
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from portfolio.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange_calendars import ExchangeCalendar

PARIS = ZoneInfo("Europe/Paris")
HOME_EXCHANGE = "XPAR"  # where the account trades
EXCHANGES = ("XPAR", "XNYS")
CALENDAR_START = date(1990, 1, 1)  # the first year of the regime's drivers

# New York closes at 22:00 in Paris and vendors settle their bars overnight: by 06:00 both are in.
KNOWN_FROM = time(6, 0)


@dataclass(frozen=True, slots=True)
class Moment:
    """One run's place in time: `decided_at` (aware UTC), the session acted on, the last completed one."""

    decided_at: datetime
    session: date
    as_of: date


@lru_cache(maxsize=len(EXCHANGES))
def _calendar(exchange: str) -> ExchangeCalendar:
    with warnings.catch_warnings():
        # exchange-calendars 4.13 uses a call that pandas 3.1 announces to change; it says nothing about our data.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="pandas|exchange_calendars")
        return exchange_calendars.get_calendar(exchange, start=CALENDAR_START.isoformat())


def moment_at(instant: datetime) -> Moment:
    """Place an aware instant between the last completed XPAR session and the next XPAR open.

    Raises UsageError when the instant is naive or outside the calendar.
    """
    if instant.tzinfo is None:
        message = f"The instant {instant.isoformat()} has no time zone: give one, 2019-01-02T07:30+01:00 say."
        raise UsageError(message)
    calendar = _calendar(HOME_EXCHANGE)
    stamp = pd.Timestamp(instant).tz_convert("UTC")
    last_open = calendar.opens.iloc[-1]
    if not calendar.closes.iloc[0] <= stamp < last_open:
        message = (
            f"The instant {instant.isoformat()} is outside the {HOME_EXCHANGE} calendar, which is known from "
            f"{calendar.first_session.date()} to {calendar.last_session.date()}: check the clock or --as-of."
        )
        raise UsageError(message)
    session = calendar.sessions[int(calendar.opens.searchsorted(stamp, side="right"))]
    as_of = calendar.sessions[int(calendar.closes.searchsorted(stamp, side="right")) - 1]
    return Moment(stamp.to_pydatetime(), session.date(), as_of.date())


def sessions_between(exchange: str, first: date, last: date) -> list[date]:
    """List the exchange's sessions from first to last, both included."""
    index = _calendar(exchange).sessions
    return [stamp.date() for stamp in index[(index >= pd.Timestamp(first)) & (index <= pd.Timestamp(last))]]


def last_session_on_or_before(exchange: str, day: date) -> date:
    """Return the exchange's newest session not after the day."""
    index = _calendar(exchange).sessions
    return index[int(index.searchsorted(pd.Timestamp(day), side="right")) - 1].date()


def sessions_apart(exchange: str, earlier: date, later: date) -> int:
    """Count the exchange's sessions after `earlier` up to and including `later`."""
    index = _calendar(exchange).sessions
    first, last = (int(index.searchsorted(pd.Timestamp(day), side="right")) for day in (earlier, later))
    return last - first


def price_known_at(observed_on: Iterable[date]) -> pd.DatetimeIndex:
    """Instants (UTC) from which closes of the given days could be known: 06:00 in Paris on the next day."""
    days = pd.DatetimeIndex(list(observed_on)).as_unit("us")
    return _paris_morning_after(days)


def macro_known_at(observed_on: Iterable[date]) -> pd.DatetimeIndex:
    """Instants (UTC) from which FRED's daily values of the given days could be known.

    FRED prints VIXCLS and the Treasury yields of day t on the next New York business day, after Paris has
    closed: 06:00 in Paris on the day after that (source: FRED release H.15 and CBOE, daily release times). On US
    federal holidays it prints nothing, though New York trades on some (Columbus Day, Veterans Day).
    """
    days = pd.DatetimeIndex(list(observed_on)).as_unit("us")
    printing = _printing_days()
    return _paris_morning_after(printing[printing.searchsorted(days.to_numpy(), side="right")])


@lru_cache(maxsize=1)
def _printing_days() -> pd.DatetimeIndex:
    """Days on which FRED prints daily values: XNYS sessions that are no US federal holidays."""
    sessions = _calendar("XNYS").sessions
    holidays = USFederalHolidayCalendar().holidays(sessions[0], sessions[-1])
    printing = sessions[~sessions.isin(holidays)]
    # A value of the calendar's very last day is printed on a day the calendar does not know yet.
    return pd.DatetimeIndex([*printing, sessions[-1] + pd.Timedelta(days=1)]).as_unit("us")


def _paris_morning_after(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    morning = pd.Timedelta(days=1, hours=KNOWN_FROM.hour, minutes=KNOWN_FROM.minute)
    return (days + morning).tz_localize(PARIS).tz_convert("UTC").as_unit("us")


def calendar_rows(last: date) -> pd.DataFrame:
    """Return exchange, session, opens_at, closes_at (UTC) of every known session up to `last`."""
    frames = []
    for exchange in EXCHANGES:
        calendar = _calendar(exchange)
        frame = pd.DataFrame(
            {
                "exchange": exchange,
                "session": calendar.sessions,
                "opens_at": calendar.opens.to_numpy(),
                "closes_at": calendar.closes.to_numpy(),
            }
        )
        frames.append(frame[frame["session"] <= pd.Timestamp(last)])
    return pd.concat(frames, ignore_index=True)


def calendar_horizon(decided_at: datetime) -> date:
    """Return how far ahead the store's copy of the calendars reaches: 60 days, over any market holiday."""
    return (decided_at + timedelta(days=60)).date()
