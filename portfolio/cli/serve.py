"""`portfolio serve`: the page, the newest decision, health and metrics over HTTP, until it is told to stop."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from portfolio.cli.start import add_json, add_source, settings_for
from portfolio.clock import now_utc

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio serve"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from portfolio.running import read_running  # noqa: PLC0415  # these and DuckDB, FastAPI: not for --help
    from portfolio.settings_logs import start_logging  # noqa: PLC0415
    from portfolio.universe import read_universe  # noqa: PLC0415
    from portfolio.web.listening import address_of, listening_sockets, serve  # noqa: PLC0415
    from portfolio.web.reading import Reading  # noqa: PLC0415

    settings = settings_for(arguments)
    start_logging(settings, f"serve-{os.getpid()}")
    running = read_running(settings.slot)
    reading = Reading(settings, read_universe(settings.universe_file), running, now_utc)
    sockets = listening_sockets(settings)
    addresses = [address_of(listener) for listener in sockets]

    def started() -> None:
        if arguments.json:
            told = {"release": running.version, "slot": running.slot, "pid": os.getpid(), "addresses": addresses}
            print(json.dumps(told), flush=True)
        else:
            print(f"Release {running} answers at {', '.join(addresses)}", flush=True)

    serve(reading, sockets, started, access_log=settings.log_level == "DEBUG")
    return 0
