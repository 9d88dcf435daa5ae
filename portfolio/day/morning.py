"""The day in its two halves, each a run of its own: prices and macro values first, then the decision.

`portfolio run` does both in one; the flows do them one after the other, so that each can be tried again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.day.stages import Day, decision_stages, update_stage, writing
from portfolio.errors import ExitCode
from portfolio.store.journal import append_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portfolio.day.run import Run
    from portfolio.day.update import Update
    from portfolio.findings import Finding
    from portfolio.sources.batch import Batch


def store_fetched(
    run: Run, batch: Batch | None, unfetched: Sequence[Finding], wait_s: float = 0.0
) -> tuple[Update | None, ExitCode]:
    """Check and append what was fetched, or journal that nothing was and why."""
    with writing(run, wait_s) as (store, ending):
        append_findings(store, run.run_id, unfetched)
        if batch is None:
            ending.exit_code = ExitCode.FAILED
            return None, ending.exit_code
        return update_stage(store, run, batch, ending), ending.exit_code


def decide_day(run: Run, noticed: Sequence[Finding], wait_s: float = 0.0) -> Day:
    """Decide the run's session from what the store has, plan its orders and write the page."""
    with writing(run, wait_s) as (store, ending):
        return decision_stages(store, run, ending, tuple(noticed))
