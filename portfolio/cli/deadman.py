"""`portfolio deadman`: is anybody there? For a timer that does not depend on Prefect; exit code 1 when it is silent."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, settings_for
from portfolio.clock import now_utc
from portfolio.errors import ExitCode

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio deadman"
ERROR = "<3>"  # the journal takes a line that begins so for an error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_json(parser)
    parser.add_argument("--journal", action="store_true", help="mark the line of a silence as an error for systemd")


def run(arguments: argparse.Namespace) -> int:
    from portfolio.health.heartbeat import Heartbeat  # noqa: PLC0415  # not for --help
    from portfolio.health.published import read_published  # noqa: PLC0415  # as above
    from portfolio.health.silence import silences  # noqa: PLC0415  # as above

    settings = settings_for(arguments)
    silent = silences(settings, read_published(settings), now_utc(), _installed_at())
    if silent:
        Heartbeat.from_settings(settings).fail(f"silent: {'; '.join(silent)}")
    if arguments.json:
        print(json.dumps({"silent": bool(silent), "reasons": silent}, indent=2))
    else:
        prefix = ERROR if silent and arguments.journal else ""
        told = f"silent: {'; '.join(silent)}. Look at: systemctl status portfolio.slice" if silent else "not silent"
        print(f"{prefix}{told}")
    return int(ExitCode.FAILED if silent else ExitCode.DONE)


def _installed_at() -> datetime | None:
    """Return when this release was installed, which its manifest closes; None in a development tree."""
    try:
        return datetime.fromtimestamp((Path(sys.prefix).parent / "manifest.json").stat().st_mtime, UTC)
    except OSError:
        return None
