"""The whole day under the dead-man's switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.day.outputs import verify_day
from portfolio.day.stages import OUTCOMES, Day, run_day
from portfolio.errors import ExitCode
from portfolio.health.heartbeat import Heartbeat

if TYPE_CHECKING:
    from datetime import date

    from portfolio.day.run import Run

ANSWERED = frozenset({ExitCode.DONE, ExitCode.HOLD})  # a HOLD is an answer: the daemon lives, the page says why


def watched_day(run: Run, wait_s: float = 0.0, since: date | None = None) -> Day:
    """Do the whole day, see that its outputs are there, and tell the dead-man's switch.

    Raises OutputError when an output is missing, with or without a switch.
    """
    with Heartbeat.from_settings(run.settings, run.run_id).watching() as watch:
        day = run_day(run, wait_s, since)
        if day.exit_code in ANSWERED:
            watch.verified(verify_day(run))
        else:
            watch.failed(f"{OUTCOMES[day.exit_code]}, exit {int(day.exit_code)}; session {run.moment.session}")
    return day
