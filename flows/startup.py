"""What is done before a worker starts: deployments registered, dead runs closed, missed sessions made up."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.deployments import run_deployment

from flows.dead_runs import STARTING, close_dead_runs, drop_late_runs
from flows.deployments import planned, register
from flows.names import UPDATE_DEPLOYMENT
from portfolio.day.due import newest_decision, sessions_missed
from portfolio.day.entry import enter
from portfolio.errors import PortfolioError
from portfolio.sessions import now_utc
from portfolio.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

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


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare Prefect for a worker on a queue, and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m flows.startup", description=__doc__)
    parser.add_argument("--queue", required=True, help="the queue its worker takes runs from")
    parser.add_argument("--beside-worker", action="store_true", help="its worker runs already")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the settings files are read from")
    arguments = parser.parse_args(argv)
    try:
        run = enter("startup", read_settings())
        start = Start(run, arguments.folder.absolute(), arguments.queue, arguments.beside_worker)
        print("\n".join(prepared(start)))  # noqa: T201  # the answer
    except PortfolioError as error:
        print(error, file=sys.stderr)  # noqa: T201  # as above
        return int(error.exit_code)
    return 0


def prepared(start: Start) -> Iterator[str]:
    """Do each step and tell it."""
    run, settings = start.run, start.run.settings
    removed = register(settings, start.folder, start.queue)
    yield f"Deployments: {', '.join(item.name for item in planned(settings))}"
    if removed:
        yield f"Removed, this release has them no more: {', '.join(removed)}"
    for dead in close_dead_runs(starting=STARTING if start.beside_worker else NO_WAIT):
        yield f"Closed, its process had gone: {dead.name}"
    if start.beside_worker:  # it does what is due
        return
    drop_late_runs(now_utc())
    newest = newest_decision(run)
    missed = sessions_missed(run.moment, newest, settings.day_at)
    if missed or newest is None:
        run_deployment(UPDATE_DEPLOYMENT, parameters=_at(start.as_of), timeout=0, as_subflow=False)
        sessions = ", ".join(str(item.session) for item in missed)
        yield f"Without a target, decided now: {sessions}" if missed else "First start: the history is fetched now."


def _at(as_of: datetime | None) -> dict[str, str]:
    return {"as_of": as_of.isoformat()} if as_of else {}


if __name__ == "__main__":
    sys.exit(main())
