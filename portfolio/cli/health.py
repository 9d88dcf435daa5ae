"""`portfolio health`: one line a check; exit code 1 only when UNHEALTHY."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, settings_for
from portfolio.clock import now_utc
from portfolio.errors import ExitCode
from portfolio.universe import read_universe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from portfolio.health.verdict import Check

EXAMPLE = "portfolio health --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.health.checks import check_health  # noqa: PLC0415  # DuckDB: not for --help
    from portfolio.health.published import read_published  # noqa: PLC0415  # as above
    from portfolio.health.verdict import Status  # noqa: PLC0415  # as above

    settings = settings_for(arguments)
    health = check_health(settings, read_universe(settings.universe_file), now_utc(), read_published(settings))
    if arguments.json:
        print(json.dumps(health.as_dict(), indent=2))
    else:
        print(health.status.name, *_in_lines(health.checks), sep="\n")
    return int(ExitCode.FAILED if health.status is Status.UNHEALTHY else ExitCode.DONE)


def _in_lines(checks: Sequence[Check]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"  {check.status.name:<9} {check.name:<{width}}  {check.seen}"
        if check.to_do:
            yield f"{'':{width + 14}}-> {check.to_do}"
