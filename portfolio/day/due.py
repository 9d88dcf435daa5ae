"""Which sessions a run should decide: the one about to open, and those that passed undecided while nobody was there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.findings import Finding, Severity
from portfolio.sessions import HOME_EXCHANGE, KNOWN_FROM, PARIS, moment_at, sessions_between
from portfolio.store.connection import open_reader
from portfolio.store.signals import SignalRow, read_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portfolio.day.run import Run
    from portfolio.sessions import Moment

# Decisions of a year ago, made up, would be the backtest's business and keep today's waiting.
MADE_UP_AT_MOST = timedelta(days=31)
MADE_UP = "made-up"


@dataclass(frozen=True, slots=True)
class Due:
    """A session to decide, and the instant it is decided as at; `made_up` when that has passed."""

    session: date
    instant: datetime
    made_up: bool

    @property
    def noticed(self) -> tuple[Finding, ...]:
        """What the answer of a session that was made up should show."""
        if not self.made_up:
            return ()
        return (_made_up(self.session, self.instant),)


def late(moment: Moment, lateness: timedelta, told: Sequence[Finding]) -> tuple[Finding, ...]:
    """Tell of a decision that is taken only after its session has opened, unless that was told already."""
    in_time = moment_at(moment.decided_at + lateness).session == moment.session
    if in_time or any(finding.rule == MADE_UP for finding in told):
        return ()
    return (_made_up(moment.session, moment.decided_at),)


def _made_up(session: date, instant: datetime) -> Finding:
    message = (
        f"No run decided {session} in time: this was made up afterwards, as at {instant.astimezone(PARIS):%H:%M} in "
        "Paris, with what could be known then. Its orders were not there in time: book what you really did."
    )
    return Finding(Severity.WARNING, MADE_UP, "", message, session)


def newest_decision(run: Run) -> SignalRow | None:
    """Read the newest logged decision from the published copy; None when there is none, or no copy that opens."""
    try:
        with open_reader(run.settings.store_path, run.settings.source) as store:
            return read_signal(store)
    except StoreError:  # no store yet; what else may be wrong with it, the writer will say
        return None


def is_session_day(moment: Moment) -> bool:
    """Tell whether Paris trades on the day of the moment, be it before, in or after the session."""
    today = moment.decided_at.astimezone(PARIS).date()
    return bool(sessions_between(HOME_EXCHANGE, today, today))


def sessions_due(moment: Moment, newest: SignalRow | None, day_at: str) -> tuple[Due, ...]:
    """List what is to be decided, oldest first: the log takes sessions in their order only.

    The session that opens today is due from the hour on at which the last closes are known, again when it has been
    decided already (a better answer becomes its next revision). A session that has opened is due when the log, not
    empty, ends before it: as at `day_at` (Paris) of its day.
    """
    made_up = tuple(Due(day, _at(day, day_at), made_up=True) for day in _undecided(moment, newest))
    now = moment.decided_at.astimezone(PARIS)
    opens_today = moment.session == now.date() and now.time() >= KNOWN_FROM
    return (*made_up, *((Due(moment.session, moment.decided_at, made_up=False),) if opens_today else ()))


def sessions_missed(moment: Moment, newest: SignalRow | None, day_at: str) -> tuple[Due, ...]:
    """List the sessions whose hour has passed without a target: what the schedule may not come back to.

    One on HOLD that has not opened is among them: the second try of its morning may be what was cut off.
    """
    due = sessions_due(moment, newest, day_at)
    decided = newest.session if newest and newest.decision == "TARGET" else None
    return tuple(item for item in due if item.session != decided and _at(item.session, day_at) <= moment.decided_at)


def _only_too_early(newest: SignalRow) -> bool:
    """Tell a HOLD of the evening before: the session's own morning is still to come, or was missed."""
    morning = datetime.combine(newest.session, KNOWN_FROM, PARIS)
    return newest.decision == "HOLD" and newest.decided_at < morning


def _undecided(moment: Moment, newest: SignalRow | None) -> list[date]:
    if newest is None:
        return []
    today = moment.decided_at.astimezone(PARIS).date()
    undecided = newest.session if _only_too_early(newest) else newest.session + timedelta(days=1)
    first = max(undecided, today - MADE_UP_AT_MOST)
    return [day for day in sessions_between(HOME_EXCHANGE, first, today) if day < moment.session]


def _at(day: date, clock_time: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock_time), PARIS)
