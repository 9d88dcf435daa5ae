"""What every command does first: settings, logging, and its place in time."""

from __future__ import annotations

import argparse
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portfolio.errors import UsageError
from portfolio.settings import Settings, read_settings

if TYPE_CHECKING:
    from portfolio.day.run import Run

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
    from portfolio.day.entry import enter  # noqa: PLC0415  # pandas and the calendars: not for --help

    as_of = instant_of(arguments.as_of) if getattr(arguments, "as_of", None) is not None else None
    return enter(command, settings_for(arguments), as_of)


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
