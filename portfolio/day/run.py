"""One run's identity: who runs, under which settings, at which instant. "Now" is taken here, once."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.errors import UsageError
from portfolio.sessions import Moment, moment_at
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
        return self.settings.page_path


def new_run_id(started_at: datetime) -> str:
    """Name a run: its start to the second, its process, and a few random digits."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{os.getpid()}-{secrets.token_hex(3)}"


def begin_run(
    command: str, settings: Settings, started_at: datetime, run_id: str, as_of: datetime | None = None
) -> Run:
    """Place a run in time: the instant asked for, else the sample's own clock, else now."""
    clock = sample_clock() if settings.source == "sample" else started_at
    if as_of is not None and as_of > clock:
        message = (
            f"--as-of {as_of.isoformat()} lies ahead of the clock, which stands at {clock.isoformat()}"
            f"{' in the sample' if settings.source == 'sample' else ''}: nothing is known of it. Choose an earlier one."
        )
        raise UsageError(message)
    instant = as_of or clock
    return Run(run_id, command, settings, read_universe(settings.universe_file), started_at, moment_at(instant))
