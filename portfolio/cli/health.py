"""`portfolio health`: one line a check; exit code 1 only when UNHEALTHY."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, settings_for
from portfolio.errors import ExitCode
from portfolio.universe import read_universe

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio health --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.health.checks import Status, check_health, worst  # noqa: PLC0415  # DuckDB: not for --help

    settings = settings_for(arguments)
    now = datetime.now(UTC)  # not sessions.now_utc: its calendars take half a second to import
    checks = check_health(settings, read_universe(settings.universe_file), now)
    status = worst(checks)
    if arguments.json:
        print(json.dumps({"status": status.name, "checks": [check.as_dict() for check in checks]}, indent=2))
    else:
        print(status.name)
        for check in checks:
            to_do = f"\n{'':24}-> {check.to_do}" if check.to_do else ""
            print(f"  {check.status.name:<9} {check.name:<10}  {check.seen}{to_do}")
    return int(ExitCode.FAILED if status is Status.UNHEALTHY else ExitCode.DONE)
