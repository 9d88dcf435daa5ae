"""`portfolio orders`: whole-share proposals for the decided session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_as_of, add_json, add_source, add_wait, start
from portfolio.cli.words import orders_in_words

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio orders --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_as_of(parser)
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.day.stages import plan_logged_stage, writing  # noqa: PLC0415  # DuckDB, pandas: not for --help

    begun = start("orders", arguments)
    with writing(begun, arguments.wait) as (store, ending):
        session, orders = plan_logged_stage(store, begun, ending)
    document = orders.document(session.isoformat())
    print(json.dumps(document, indent=2) if arguments.json else orders_in_words(document))
    return int(ending.exit_code)
