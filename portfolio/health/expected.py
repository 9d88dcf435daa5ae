"""What should be there by now, from the calendars the store carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = "XPAR"
PARIS = ZoneInfo("Europe/Paris")
KNOWN_FROM = time(6, 0)  # as in portfolio.sessions, whose calendars take half a second to import


@dataclass(frozen=True, slots=True)
class Calendars:
    """Sessions and their opens (UTC) by exchange, oldest first, seen from an instant."""

    sessions: Mapping[str, Sequence[tuple[date, datetime]]]
    instant: datetime

    @property
    def reaches_now(self) -> bool:
        """Whether a session still to come is known; without one nothing can be called late or on time."""
        return any(opens_at > self.instant for _, opens_at in self.sessions.get(HOME, ()))

    def last_opened(self) -> tuple[date, datetime] | None:
        """Return the newest session that has opened."""
        return next((pair for pair in reversed(self.sessions.get(HOME, ())) if pair[1] <= self.instant), None)

    def opened_before(self, instant: datetime) -> datetime | None:
        """Return when the newest session opened that had opened by an instant."""
        return next((opens_at for _, opens_at in reversed(self.sessions.get(HOME, ())) if opens_at <= instant), None)

    def due_on_sessions(self, at: str, grace: timedelta) -> datetime | None:
        """Return the newest instant, `at` this time in Paris on a session, that is longer past than the grace.

        None when the stored calendar has ended: then nobody knows on which days there is something to do.
        """
        if not self.reaches_now:
            return None
        planned = (at_paris(day, at) for day, _ in reversed(self.sessions.get(HOME, ())))
        return next((instant for instant in planned if instant + grace <= self.instant), None)

    def expected_on(self, exchange: str) -> date | None:
        """Return the newest day whose close could be known before the newest opened session."""
        opened = self.last_opened()
        if opened is None:
            return None
        days = (day for day, _ in reversed(self.sessions.get(exchange, ())) if known_from(day) <= opened[1])
        return next(days, None)

    def behind(self, exchange: str, newest: date, expected: date | None) -> int:
        """Count the sessions after `newest` up to and including `expected`."""
        if expected is None:
            return 0
        return sum(1 for day, _ in self.sessions.get(exchange, ()) if newest < day <= expected)


def at_paris(day: date, at: str) -> datetime:
    """Return a time of a day in Paris as an instant."""
    return datetime.combine(day, time.fromisoformat(at), PARIS).astimezone(UTC)


def due_nightly(at: str, grace: timedelta, now: datetime) -> datetime:
    """Return the newest instant, `at` this time in Paris on any day, that is longer past than the grace."""
    today = now.astimezone(PARIS).date()
    planned = (at_paris(today - timedelta(days=days), at) for days in range(3))
    return next(instant for instant in planned if instant + grace <= now)


def known_from(day: date) -> datetime:
    """Return the instant from which a day's close could be known: 06:00 in Paris on the next day."""
    return datetime.combine(day + timedelta(days=1), KNOWN_FROM, PARIS)
