"""Prefect made ready for a worker: deployments registered, dead runs closed, missed sessions made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.deployments import run_deployment

from flows.dead_runs import STARTING, close_dead_runs, drop_late_runs, has_one_waiting
from flows.deployments import registered
from flows.names import UPDATE_DEPLOYMENT
from portfolio.clock import now_utc
from portfolio.day.due import newest_decision, sessions_missed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from portfolio.day.run import Run

NO_WAIT = timedelta(0)  # no worker of ours runs yet: what is in hand without a process is dead


@dataclass(frozen=True, slots=True)
class Start:
    """What is started: where the settings are read, the worker's queue, and "now" when it is not the clock's."""

    run: Run
    folder: Path
    queue: str
    beside_worker: bool = False
    as_of: datetime | None = None
    is_slot: bool = False


def prepared(start: Start) -> Iterator[str]:
    """Do each step and tell it."""
    yield from registered(start.run.settings, start.folder, start.queue, is_slot=start.is_slot)
    starting = STARTING if start.beside_worker else NO_WAIT
    for dead in close_dead_runs(starting=starting, slot=start.run.settings.slot):
        yield f"Closed, its process had gone: {dead.name}"
    if start.beside_worker:  # it does what is due
        return
    drop_late_runs(now_utc())
    yield from made_up(start)


def made_up(start: Start) -> Iterator[str]:
    """Start an update when sessions lack, which decides them all, unless one waits or runs already."""
    newest = newest_decision(start.run)
    missed = sessions_missed(start.run.moment, newest, start.run.settings.day_at)
    if not missed and newest is not None:
        return
    sessions = ", ".join(str(item.session) for item in missed)
    what = f"Without a target: {sessions}" if missed else "First start: there is no history yet"
    if has_one_waiting(UPDATE_DEPLOYMENT):
        yield f"{what}; an update is under way."
        return
    run_deployment(UPDATE_DEPLOYMENT, parameters=_at(start.as_of), timeout=0, as_subflow=False)
    yield f"Without a target, decided now: {sessions}" if missed else "First start: the history is fetched now."


def _at(as_of: datetime | None) -> dict[str, str]:
    return {"as_of": as_of.isoformat()} if as_of else {}
