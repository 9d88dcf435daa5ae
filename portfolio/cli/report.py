"""`portfolio report`: write the page of the newest logged decision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, start

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.day.stages import Ending, page_stage  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.store.connection import open_reader  # noqa: PLC0415

    begun = start("report", arguments)
    with open_reader(begun.settings.store_path, begun.settings.source) as store:
        page = page_stage(store, begun, ending := Ending())
    print(json.dumps({"page": str(page)}) if arguments.json else f"Page: {page}")
    return int(ending.exit_code)
