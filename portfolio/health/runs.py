"""How the newest runs of each command ended, as the journal has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portfolio.store.journal import Run

RUNS_LOOKED_AT = 50  # a few weeks of days, with commands by hand between
FAILURES = frozenset({"failed", "refused", "busy"})


def check_runs(runs: Sequence[Run], *, interrupted: bool) -> Check:
    """Look at how the newest run of each command ended; a later `run` makes up for a failure of any of its stages.

    `runs` are newest first; `interrupted` tells that a writer was killed after the newest of them.
    """
    if not runs:
        return Check("runs", Status.DEGRADED, "no run is journaled", "run `portfolio run`")
    newest = runs[0]
    seen = _told(newest)
    if interrupted or newest.finished_at is None:
        told = f"a writer was interrupted; the newest one journaled: {seen}"
        return Check("runs", Status.DEGRADED, told, "run `portfolio run` again: what was committed is kept")
    failed = _not_made_up(runs)
    if failed is not None:
        told = f"{failed.command} {failed.run_id}, started {failed.started_at:%Y-%m-%d %H:%M} UTC: {failed.outcome}"
        return Check(
            "runs", Status.DEGRADED, told, "see its log lines (LOG_FILE, or the system's journal); run it again"
        )
    return Check("runs", Status.HEALTHY, seen)


def _told(run: Run) -> str:
    return f"{run.command} {run.run_id}, started {run.started_at:%Y-%m-%d %H:%M} UTC: {run.outcome or 'no end'}"


def _not_made_up(runs: Sequence[Run]) -> Run | None:
    """Return the newest failed run that no later run of the same command, or of the whole day, has made up for."""
    done: set[str] = set()
    for run in runs:
        if run.outcome in FAILURES and not done & {run.command, "run"}:
            return run
        if run.outcome not in FAILURES:
            done.add(run.command)
    return None
