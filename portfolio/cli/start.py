"""What every command does first: settings, logging, and its place in time."""

from __future__ import annotations

import argparse
import logging
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portfolio.errors import UsageError
from portfolio.logs import configure_logging
from portfolio.settings import Settings, is_secret, read_settings, unknown_keys

if TYPE_CHECKING:
    from portfolio.day.run import Run

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 86_400.0  # a day: longer is a typing error


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses the store."""
    parser.add_argument("--source", choices=("sample", "live"), help="whose store (default: PORTFOLIO_SOURCE)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that every reading command has."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, logs on stderr")


def add_as_of(parser: argparse.ArgumentParser) -> None:
    """Add the option that sets "now"."""
    parser.add_argument(
        "--as-of",
        metavar="INSTANT",
        help="decide as at this instant, 2018-06-29T07:30+02:00 say (a day alone means 07:30 in Paris)",
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add the option that waits for another writer."""
    parser.add_argument(
        "--wait",
        nargs="?",
        const=60.0,
        default=0.0,
        type=_wait_s,
        metavar="SECONDS",
        help="wait for another writer (60 s when no number is given) instead of ending with exit code 5",
    )


def settings_for(arguments: argparse.Namespace) -> Settings:
    """Read the settings with what the command line overrides."""
    overrides: dict[str, Any] = {}
    if getattr(arguments, "source", None):
        overrides["PORTFOLIO_SOURCE"] = arguments.source
    return read_settings(overrides)


def start(command: str, arguments: argparse.Namespace) -> Run:
    """Read the settings, take "now", start logging, and warn of keys this release does not know."""
    from portfolio.day.run import begin_run, new_run_id  # noqa: PLC0415  # pandas and the calendars: not for --help
    from portfolio.sessions import now_utc  # noqa: PLC0415

    settings = settings_for(arguments)
    started_at = now_utc()
    run_id = new_run_id(started_at)
    start_logging(settings, run_id)
    as_of = instant_of(arguments.as_of) if getattr(arguments, "as_of", None) is not None else None
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


def instant_of(text: str) -> datetime:
    """Read an instant; a day alone is 07:30 in Paris, when the daily run is meant to start.

    Raises UsageError for anything else, an instant without a time zone included.
    """
    from portfolio.sessions import PARIS  # noqa: PLC0415  # pandas: not for --help

    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--as-of {text!r} is not an instant: write 2018-06-29T07:30+02:00, or a day, 2018-06-29."
        raise UsageError(message) from error
    if instant.tzinfo is not None:
        return instant
    if "T" in text or " " in text:
        offset = f"{instant.replace(tzinfo=PARIS):%z}"
        message = f"--as-of {text!r} has no time zone: write {text}{offset[:3]}:{offset[3:]} for Paris, +00:00 for UTC."
        raise UsageError(message)
    return instant.replace(hour=7, minute=30, tzinfo=PARIS)


def day_of(text: str, option: str) -> Any:  # noqa: ANN401  # a date, without importing it for --help
    """Read a day given to an option."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        message = f"{option} {text!r} is not a day: write it as 2018-06-29."
        raise UsageError(message) from error


def _wait_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        message = f"{text!r} is not a number of seconds"
        raise argparse.ArgumentTypeError(message) from error
    if not (math.isfinite(seconds) and 0 <= seconds <= LONGEST_WAIT_S):
        message = f"{text!r} is not between 0 and {LONGEST_WAIT_S:g} seconds"
        raise argparse.ArgumentTypeError(message)
    return seconds
