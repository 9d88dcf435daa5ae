"""What `signal-generation` does, apart from its definition, which a release registers without all this."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import show_day
from flows.job import Job, job
from flows.names import SIGNAL_GENERATION
from flows.starting import start_next, waited
from flows.turn import LOCK_WAIT_S, writers_turn
from portfolio.day.due import late
from portfolio.day.morning import decide_day
from portfolio.day.outputs import verify_day
from portfolio.errors import ExitCode
from portfolio.findings import Finding

if TYPE_CHECKING:
    from datetime import datetime

    from prefect.client.schemas.objects import State

    from portfolio.day.run import Run
    from portfolio.day.stages import Day


def decide_session(
    as_of: datetime | None, noticed: list[dict[str, Any]], then: list[dict[str, Any]], late_s: float
) -> State[Any]:
    """Be the flow: decide, show, and start the session after, whatever became of this one."""
    with job(SIGNAL_GENERATION, "signal", as_of) as this:
        try:
            findings = tuple(Finding.from_dict(values) for values in noticed)
            lateness = timedelta(seconds=late_s) + waited(this.run)
            day = decide(this.run, (*findings, *late(this.run.moment, lateness, findings)))
        finally:
            start_next(then)
        show_day(this.run, day)
        return told(this, day)


@task(name="decide", cache_policy=NO_CACHE, persist_result=False)
def decide(run: Run, noticed: tuple[Finding, ...]) -> Day:
    """Decide, plan and write, as the only writer."""
    with writers_turn():
        return decide_day(run, noticed, LOCK_WAIT_S)


def told(this: Job, day: Day) -> State[Any]:
    """Ping with what was verified to be there, and end in the day's own state."""
    answer = day.signal.answer
    words = "; ".join([f"{answer['decision']} for session {answer['session']}", *answer["reasons"]])
    if day.exit_code in {ExitCode.DONE, ExitCode.HOLD}:
        this.heartbeat.success(verify_day(this.run))
    else:
        this.heartbeat.fail(f"session {answer['session']}: exit code {int(day.exit_code)}")
    return this.ended(day.exit_code, words)
