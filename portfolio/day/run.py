"""One run's identity: who runs, under which settings, at which instant. "Now" is taken here, once."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.sessions import Moment, moment_at, now_utc
from portfolio.sources.sample import sample_clock
from portfolio.universe import Universe, read_universe

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """What every stage is given. `started_at` is the wall clock's instant, `moment` the one decided for."""

    run_id: str
    command: str
    settings: Settings
    universe: Universe
    started_at: datetime
    moment: Moment

    @property
    def models_dir(self) -> Path:
        """Folder of the models' folders."""
        return self.settings.state_dir / "models"

    @property
    def page_path(self) -> Path:
        """The page a person opens."""
        return self.settings.state_dir / "report" / "index.html"


def new_run_id(started_at: datetime) -> str:
    """Name a run: its start to the second, its process, and a few random digits."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{os.getpid()}-{secrets.token_hex(3)}"


def begin_run(
    command: str, settings: Settings, started_at: datetime, run_id: str, as_of: datetime | None = None
) -> Run:
    """Place a run in time: the instant asked for, else the sample's own clock, else now."""
    instant = as_of or (sample_clock() if settings.source == "sample" else started_at)
    return Run(run_id, command, settings, read_universe(settings.universe_file), started_at, moment_at(instant))


def begin_now(command: str, settings: Settings, as_of: datetime | None = None) -> Run:
    """Take "now" and begin."""
    started_at = now_utc()
    return begin_run(command, settings, started_at, new_run_id(started_at), as_of)
