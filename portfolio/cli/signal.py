"""`portfolio signal`: decide and log the next session, or take a logged decision again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portfolio.cli.start import add_as_of, add_json, add_source, add_wait, day_of, start
from portfolio.cli.words import NOT_LOGGED, signal_in_words
from portfolio.errors import ExitCode, NotLoggedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

EXAMPLE = "portfolio signal --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_as_of(parser)
    parser.add_argument(
        "--replay",
        nargs="?",
        const="newest",
        metavar="SESSION",
        help="take a logged decision again (the newest when no session is given); exit code 1 when it differs",
    )
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.replay:
        return _replay(arguments)
    begun = start("signal", arguments)
    from portfolio.day.stages import signal_stage, writing  # noqa: PLC0415  # DuckDB, pandas: not for --help

    with writing(begun, arguments.wait) as (store, ending):
        signal = signal_stage(store, begun, ending)
    logged = signal.row is not None
    if arguments.json:
        print(json.dumps(signal.answer | {"logged": logged}, indent=2))
    else:
        print(signal_in_words(signal.answer, begun.settings.source))
        if not logged:
            print(f"\n{NOT_LOGGED}")
    return int(ending.exit_code)


def _replay(arguments: argparse.Namespace) -> int:
    from portfolio.day.signal import replay  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.store.connection import open_reader  # noqa: PLC0415

    begun = start("signal", arguments)
    session = None if arguments.replay == "newest" else day_of(arguments.replay, "--replay")
    try:
        with open_reader(begun.settings.store_path, begun.settings.source) as store:
            again = replay(store, begun, session)
    except NotLoggedError:
        if arguments.json and session is None:  # an answer as well: nothing was ever decided
            print(json.dumps({"agrees": None, "differs_in": [], "logged": None, "recomputed": None}, indent=2))
        raise
    different = differing(again.logged, again.recomputed)
    if arguments.json:
        document = {"agrees": again.agrees, "differs_in": different, "logged": again.logged}
        print(json.dumps(document | {"recomputed": again.recomputed}, indent=2))
    elif again.agrees:
        print(f"The decision for session {again.row.session} taken again from the log is the same, to the bit.")
    else:
        print(f"The decision for session {again.row.session} taken again differs in: {', '.join(different)}.")
        for name in different:
            print(f"  {name}\n    logged      {again.logged[name]}\n    taken again {again.recomputed[name]}")
    return int(ExitCode.DONE if again.agrees else ExitCode.FAILED)


def differing(logged: Mapping[str, Any], recomputed: Mapping[str, Any]) -> list[str]:
    """Name the parts of two answers that are not the same."""
    return [name for name in logged if logged[name] != recomputed.get(name)]
