"""What is done before a worker starts: deployments registered, dead runs closed, missed sessions made up."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.deployments import run_deployment

from flows.dead_runs import close_dead_runs
from flows.deployments import planned, register
from flows.names import UPDATE_DEPLOYMENT, WORK_QUEUE
from portfolio.day.due import newest_decision, sessions_missed
from portfolio.day.entry import enter
from portfolio.errors import PortfolioError
from portfolio.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from portfolio.day.run import Run

NO_WAIT = timedelta(0)  # no worker of ours runs yet: what is in hand without a process is dead


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare Prefect for a worker on a queue, and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m flows.startup", description=__doc__)
    parser.add_argument("--queue", default=WORK_QUEUE, help="the queue its worker takes runs from")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the settings files are read from")
    arguments = parser.parse_args(argv)
    try:
        run = enter("startup", read_settings())
        print("\n".join(prepared(run, arguments.folder.absolute(), arguments.queue)))  # noqa: T201  # the answer
    except PortfolioError as error:
        print(error, file=sys.stderr)  # noqa: T201  # as above
        return int(error.exit_code)
    return 0


def prepared(run: Run, folder: Path, queue: str, as_of: datetime | None = None) -> Iterator[str]:
    """Do each step and tell it; `as_of` is the run's "now" when it is not the clock's."""
    removed = register(run.settings, folder, queue)
    yield f"Deployments: {', '.join(item.name for item in planned(run.settings))}"
    if removed:
        yield f"Removed, this release has them no more: {', '.join(removed)}"
    for dead in close_dead_runs(starting=NO_WAIT):
        yield f"Closed, its process had gone: {dead.name}"
    newest = newest_decision(run)
    missed = sessions_missed(run.moment, newest, run.settings.day_at)
    if missed or newest is None:
        run_deployment(UPDATE_DEPLOYMENT, parameters=_at(as_of), timeout=0, as_subflow=False)
        sessions = ", ".join(str(item.session) for item in missed)
        yield f"Undecided, decided now: {sessions}" if missed else "First start: the history is fetched now."


def _at(as_of: datetime | None) -> dict[str, str]:
    return {"as_of": as_of.isoformat()} if as_of else {}


if __name__ == "__main__":
    sys.exit(main())
