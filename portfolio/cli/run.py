"""`portfolio run`: the whole day, and its answer in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_as_of, add_json, add_source, add_wait, start
from portfolio.cli.words import NOT_LOGGED, day_in_words

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio run --source sample"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_as_of(parser)
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.day.watched import watched_day  # noqa: PLC0415  # DuckDB, pandas: not for --help

    begun = start("run", arguments)
    day = watched_day(begun, arguments.wait)
    orders = day.orders.document(begun.moment.session.isoformat())
    if arguments.json:
        page = str(day.page) if day.signal.row else None
        print(json.dumps({"signal": day.signal.answer, "orders": orders, "page": page}, indent=2))
    else:
        page = f"Page: {day.page}" if day.signal.row else NOT_LOGGED
        print(day_in_words(day.signal.answer, orders, page=page, source=begun.settings.source))
    return int(day.exit_code)
