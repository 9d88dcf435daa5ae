"""What a live fetch is given: where the services answer, how patiently, from when on, and whom to tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from portfolio.sessions import CALENDAR_START, HOME_EXCHANGE, sessions_between
from portfolio.sources.live_faults import OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LONGEST_WAIT_S = 60.0  # between two tries, unless the service asks for more
USED_UP = "the time for the service is used up"
OVERLAP_SESSIONS = 10  # twice the changed closes by which a restated history is told from corrections


@dataclass(frozen=True, slots=True)
class Patience:
    """Longest wait for an answer, tries for each name, first wait between tries (doubled each time, with jitter)."""

    timeout_s: float
    attempts: int
    backoff_s: float

    @property
    def budget_s(self) -> float:
        """Seconds that one service is given in all: twice its tries' time-outs, and the waits between them.

        Twice: one hanging name may use up all its tries and the others still have as much.
        """
        waits = (min(self.backoff_s * 2**place, LONGEST_WAIT_S) + self.backoff_s for place in range(self.attempts - 1))
        return 2 * self.attempts * self.timeout_s + sum(waits)


class Deadline:
    """The end of the time that a service is given."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def end(self) -> None:
        """Use up what is left: nobody waits for the answers any more."""
        self._end = 0.0

    def left(self, what: str) -> float:
        """Return the seconds left; raises OutOfTimeError when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            message = f"{what}: not asked, {USED_UP}"
            raise OutOfTimeError(message)
        return seconds

    def in_words(self, said: str) -> str:
        """Return why no answer came: by our own hurry when the time is over, else what was said."""
        return said if time.monotonic() < self._end else f"{USED_UP} before its answer was there"


@dataclass(frozen=True, slots=True)
class Wire:
    """Where the services answer, Yahoo's own hosts when `yahoo_url` is None, and how patiently they are asked."""

    yahoo_url: str | None
    fred_url: str
    fred_key: str | None = field(repr=False)
    patience: Patience
    cache_dir: Path


@dataclass(frozen=True, slots=True)
class Reach:
    """What is believed already: the newest day of each symbol and series that has any; `since` is asked for by hand."""

    prices: Mapping[str, date]
    macro: Mapping[str, date]
    since: date | None = None

    def first_day(self, believed: date | None, as_of: date) -> date:
        """Return the day from which a series is asked for.

        All of it when nothing is believed: a history that begins late would be believed to be all there is. Else from
        the newest believed day, where the checks must begin, or OVERLAP_SESSIONS back when that is earlier; `since`
        takes the overlap's place.
        """
        if believed is None:
            return CALENDAR_START
        weeks = timedelta(days=3 * OVERLAP_SESSIONS)
        overlap = sessions_between(HOME_EXCHANGE, as_of - weeks, as_of)[-OVERLAP_SESSIONS]
        return min(believed, self.since or overlap)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a question ended, for a person who waits: the rows that came, or why none did."""

    subject: str
    rows: int
    seconds: float
    fault: str = ""
