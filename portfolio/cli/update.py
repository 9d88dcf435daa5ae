"""`portfolio update`: fetch and check, nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_as_of, add_json, add_source, add_wait, day_of, start

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio update --source live --since 2024-01-01"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument(
        "--since", metavar="DAY", help="ask from this day on; what nothing is stored of is asked for from its beginning"
    )
    add_as_of(parser)
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.day.stages import update_stage, writing  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.day.update import fetch  # noqa: PLC0415

    begun = start("update", arguments)
    batch = fetch(begun, day_of(arguments.since, "--since") if arguments.since else None)
    with writing(begun, arguments.wait) as (store, ending):
        update = update_stage(store, begun, batch, ending)
    receipt, findings = update.receipt, update.checked.findings
    if arguments.json:
        counts = {"rows_in": receipt.rows_in, "rows_new": receipt.rows_new, "quarantined": receipt.rows_quarantined}
        counts["requests"] = batch.requests
        print(json.dumps(counts | {"findings": [finding.as_dict() for finding in findings]}, indent=2))
        return int(ending.exit_code)
    print(
        f"{receipt.rows_in} believed rows fetched, {receipt.rows_new} new or corrected, "
        f"{receipt.rows_quarantined} quarantined; {batch.requests} requests."
    )
    for finding in findings:
        print(f"  {finding.severity:<8} {finding.message}")
    return int(ending.exit_code)
