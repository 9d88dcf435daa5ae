"""`portfolio publish`: publish a read copy of the store, as every writing command does at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.cli.start import add_source, add_wait, settings_for

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio publish"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.store.connection import open_writer  # noqa: PLC0415  # DuckDB: not for --help
    from portfolio.store.publish import publish  # noqa: PLC0415

    settings = settings_for(arguments)
    with open_writer(settings.store_path, settings.source, arguments.wait) as store:
        published = publish(store)
    print(f"Published: {published}")
    return 0
