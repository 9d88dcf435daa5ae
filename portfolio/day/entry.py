"""The first steps of a run, whoever starts it: take "now", name the run, start logging, place it in time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from portfolio.day.run import Run, begin_run, new_run_id
from portfolio.logs import configure_logging
from portfolio.sessions import now_utc
from portfolio.settings import Settings, is_secret, unknown_keys

if TYPE_CHECKING:
    from datetime import datetime

log = logging.getLogger(__name__)


def enter(command: str, settings: Settings, as_of: datetime | None = None) -> Run:
    """Begin a run under the settings, at the instant given or now."""
    started_at = now_utc()
    run_id = new_run_id(started_at)
    start_logging(settings, run_id)
    return begin_run(command, settings, started_at, run_id, as_of)


def start_logging(settings: Settings, run_id: str) -> None:
    """Start logging under the settings and warn of unknown keys."""
    secrets = [
        getattr(settings, name).get_secret_value()
        for name in Settings.model_fields
        if is_secret(name) and getattr(settings, name) is not None
    ]
    configure_logging(run_id, level=settings.log_level, file=settings.log_file, secrets=secrets)
    for key in unknown_keys():
        log.warning("setting not known to this release, ignored", extra={"key": key})
