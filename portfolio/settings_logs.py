"""Logging as the settings have it, with no secret of theirs on any line."""

from __future__ import annotations

import logging

from portfolio.logs import configure_logging
from portfolio.settings import Settings, is_secret, unknown_keys

log = logging.getLogger(__name__)


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
