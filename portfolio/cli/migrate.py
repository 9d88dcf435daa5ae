"""`portfolio migrate`: bring the store to this release's schema; a copy of it as it was stays beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, add_wait, settings_for

if TYPE_CHECKING:
    import argparse

    from portfolio.settings import Settings
    from portfolio.store.schema import Plan

EXAMPLE = "portfolio migrate --wait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_wait(parser)
    parser.add_argument(
        "--plan", action="store_true", help="only say what would be done, and who could read the result"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_for(arguments)
    return _plan(settings, as_json=arguments.json) if arguments.plan else _migrate(settings, arguments)


def _plan(settings: Settings, *, as_json: bool) -> int:
    from portfolio.store.migrate import plan_of  # noqa: PLC0415  # DuckDB: not for --help

    plan = plan_of(settings.store_path, settings.source)
    print(json.dumps(asdict(plan), indent=2) if as_json else _in_words(plan))
    return 0


def _in_words(plan: Plan) -> str:
    if not plan.can_read:
        return f"The store needs a release that knows schema {plan.min_reader}; this one knows {plan.wanted}."
    if not plan.pending:
        return f"Nothing to do: the store is at schema {plan.current}."
    steps = ", ".join(plan.pending)
    return f"From schema {plan.current} to {plan.wanted} by {steps}; the result needs schema {plan.min_reader}."


def _migrate(settings: Settings, arguments: argparse.Namespace) -> int:
    from portfolio.store.connection import open_writer  # noqa: PLC0415  # DuckDB: not for --help
    from portfolio.store.migrate import migrate  # noqa: PLC0415
    from portfolio.store.publish import publish  # noqa: PLC0415

    applied = migrate(settings.store_path, settings.source, arguments.wait)
    if applied:  # readers refuse the older copy
        with open_writer(settings.store_path, settings.source, arguments.wait) as store:
            publish(store)
    steps = ", ".join(f"{step.version:04d} {step.name}" for step in applied)
    if arguments.json:
        print(json.dumps({"applied": [step.version for step in applied]}))
    else:
        print(
            f"Applied {steps} to {settings.store_path}." if applied else "The store has this release's schema already."
        )
    return 0
