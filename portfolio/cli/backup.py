"""`portfolio backup`: a whole, verified copy of the store with its models; old ones are pruned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, add_wait, start

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio backup --wait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    begun = start("backup", arguments)
    from portfolio.day.backup import backup_store  # noqa: PLC0415  # DuckDB, pandas: not for --help

    result = backup_store(begun, arguments.wait)
    if arguments.json:
        print(json.dumps(result.as_dict(), indent=2))
        return 0
    print(
        f"Backup {result.path}: {result.rows} rows, {result.size_bytes / 1e6:.1f} MB, verified, {result.seconds:.1f} s."
    )
    for name in result.pruned:
        print(f"  pruned {name}")
    for finding in result.findings:
        print(f"  {finding.severity}: {finding.message}")
    return 0
