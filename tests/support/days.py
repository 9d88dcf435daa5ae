"""Days in this process: settings in a folder of their own, and runs at given instants."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from portfolio.clock import now_utc
from portfolio.day.ledger import import_ledger
from portfolio.day.run import Run, begin_run, new_run_id
from portfolio.day.stages import orders_stage, page_stage, signal_stage, update_stage, writing
from portfolio.sessions import PARIS
from portfolio.settings import Settings, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.day.orders import Orders
    from portfolio.day.signal import Signal
    from portfolio.sources.batch import Batch


def paris(text: str) -> datetime:
    """An instant on the Paris wall clock: paris("2018-06-29 07:30")."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


def settings_in(folder: Path, **keys: object) -> Settings:
    """The settings of a folder, with two starts a fit instead of ten, which the tests have no time for."""
    return read_settings({"DATA_DIR": folder, "PORTFOLIO_STARTS": 2, **keys})


def run_at(settings: Settings, instant: datetime, command: str = "run") -> Run:
    started_at = now_utc()
    return begin_run(command, settings, started_at, new_run_id(started_at), instant)


def day_with(
    run: Run, batch: Batch | None, ledger: Path | None = None, *, page: bool = True
) -> tuple[Signal, Orders, int]:
    """Do the day's stages as `run_day` does, on a batch of the test's own, or on nothing fetched."""
    with writing(run) as (store, ending):
        if ledger:
            import_ledger(store, run, ledger)
        noticed = update_stage(store, run, batch, ending).noticed if batch else ()
        signal = signal_stage(store, run, ending, noticed)
        orders = orders_stage(store, run, signal, ending)
        if page:
            page_stage(store, run, ending)
    return signal, orders, int(ending.exit_code)
