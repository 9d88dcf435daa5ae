"""`portfolio restore`: bring a backup back, after verifying it, and keep what it replaces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, add_wait, start
from portfolio.cli.verify_backup import add_folder

if TYPE_CHECKING:
    import argparse

    from portfolio.day.restore import RestoreResult

EXAMPLE = "portfolio restore newest --force"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)
    parser.add_argument("--force", action="store_true", help="replace a good store, too; it is kept aside")
    add_source(parser)
    add_wait(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    begun = start("restore", arguments)
    from portfolio.backup.choose import chosen_backup  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.day.restore import restore_store  # noqa: PLC0415

    backup = chosen_backup(begun.settings.backups_dir, arguments.folder)
    result = restore_store(begun, backup, force=arguments.force, wait_s=arguments.wait)
    print(json.dumps(result.as_dict(), indent=2) if arguments.json else _in_words(result))
    return 0


def _in_words(result: RestoreResult) -> str:
    lines = [f"Restored {result.store} from {result.backup.name}: {result.rows} rows, {result.seconds:.1f} s."]
    if result.kept:
        lines.append(f"What it replaced is in {result.kept}: remove it when you need it no more.")
    if result.must_migrate:
        lines.append("It is at an older schema than this release works on. Run: portfolio migrate")
    else:
        lines.append("The page is not part of a backup. To write it anew: portfolio report")
    return "\n".join(lines)
