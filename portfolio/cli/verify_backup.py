"""`portfolio verify-backup`: compare a backup with its manifest; exit code 1 when it cannot be restored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portfolio.cli.start import add_json, add_source, settings_for
from portfolio.errors import ExitCode

if TYPE_CHECKING:
    import argparse

    from portfolio.backup.verify import Verified

EXAMPLE = "portfolio verify-backup newest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser)
    add_source(parser)
    add_json(parser)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a backup."""
    parser.add_argument(
        "folder", nargs="?", default="newest", metavar="FOLDER", help="a backup's name or path (default: newest)"
    )


def run(arguments: argparse.Namespace) -> int:
    from portfolio.backup.choose import chosen_backup  # noqa: PLC0415  # DuckDB: not for --help
    from portfolio.backup.verify import verify  # noqa: PLC0415

    settings = settings_for(arguments)
    verified = verify(chosen_backup(settings.backups_dir, arguments.folder), settings.source)
    if arguments.json:
        print(json.dumps(as_document(verified), indent=2))
    else:
        print(in_words(verified))
    return int(ExitCode.FAILED if verified.errors else ExitCode.DONE)


def as_document(verified: Verified) -> dict[str, Any]:
    """Return plain values for JSON."""
    manifest = verified.manifest
    return {
        "path": str(verified.path),
        "whole": not verified.errors,
        "created_at": manifest.created_at.isoformat(timespec="seconds") if manifest else None,
        "kind": manifest.contents.kind if manifest else None,
        "schema": manifest.contents.schema if manifest else None,
        "release": manifest.release if manifest else None,
        "rows": manifest.contents.total_rows if manifest else None,
        "size_bytes": manifest.size_bytes if manifest else None,
        "findings": [finding.as_dict() for finding in verified.findings],
    }


def in_words(verified: Verified) -> str:
    """Tell what a person wants to know: whether it can be restored, and every difference."""
    lines = [f"{verified.path}: {'cannot be restored' if verified.errors else 'whole'}"]
    manifest = verified.manifest
    if manifest:
        contents = manifest.contents
        lines.append(
            f"  {contents.kind}, made {manifest.created_at:%Y-%m-%d %H:%M} UTC by release {manifest.release}: schema "
            f"{contents.schema}, {contents.total_rows} rows, {manifest.size_bytes / 1e6:.1f} MB, newest session "
            f"in its journal {contents.newest_session}"
        )
    lines += [f"  {finding.severity}: {finding.rule}: {finding.message}" for finding in verified.findings]
    return "\n".join(lines)
