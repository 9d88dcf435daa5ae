"""`portfolio migrate`: bring the store to this release's schema; a copy of it as it was stays beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.cli.start import add_source, add_wait, settings_for

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio migrate --wait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.store.connection import open_writer  # noqa: PLC0415  # DuckDB: not for --help
    from portfolio.store.migrate import migrate  # noqa: PLC0415
    from portfolio.store.publish import publish  # noqa: PLC0415

    settings = settings_for(arguments)
    applied = migrate(settings.store_path, settings.source, arguments.wait)
    if applied:  # readers refuse the older copy
        with open_writer(settings.store_path, settings.source, arguments.wait) as store:
            publish(store)
    steps = ", ".join(f"{step.version:04d} {step.name}" for step in applied)
    print(f"Applied {steps} to {settings.store_path}." if applied else "The store has this release's schema already.")
    return 0
