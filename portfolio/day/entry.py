"""The first steps of a run, whoever starts it: take "now", name the run, start logging, place it in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.clock import now_utc
from portfolio.day.run import Run, begin_run, new_run_id
from portfolio.settings_logs import start_logging

if TYPE_CHECKING:
    from datetime import datetime

    from portfolio.settings import Settings


def enter(command: str, settings: Settings, as_of: datetime | None = None) -> Run:
    """Begin a run under the settings, at the instant given or now."""
    started_at = now_utc()
    run_id = new_run_id(started_at)
    start_logging(settings, run_id)
    return begin_run(command, settings, started_at, run_id, as_of)
