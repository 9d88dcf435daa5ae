"""What the drivers did while a line moved: a line's crash that the market shares is no fault of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portfolio.sources.batch import INSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from portfolio.sources.row_checks import RowContext

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class DriverCloses:
    """A driver's believed log closes by session, NaN where none; `instants` in microseconds since 1970."""

    sessions: pd.DatetimeIndex
    logs: NDArray[np.float64]
    instants: NDArray[np.int64]

    def log_close(self, day: pd.Timestamp, back: int, instant: int) -> float:
        """Log close of the last session up to a day, or one `back` from it, as known at the instant; NaN if not."""
        place = int(self.sessions.searchsorted(day, side="right")) - 1 - back
        known = place >= 0 and self.instants[place] <= instant
        return float(self.logs[place]) if known else np.nan


@dataclass(frozen=True, slots=True)
class LineMarket:
    """The drivers as one line's walk asks for them: by its own exchange's sessions, times its leverage."""

    drivers: Sequence[DriverCloses]
    sessions: pd.DatetimeIndex
    leverage: int

    def moves(self, earlier: int, later: int, instant: int) -> list[float]:
        """Log returns that the drivers' mean would explain, from rows known at the instant.

        New York closes after Paris: what a line does in one session the drivers did in the same one, the one before,
        or both. Empty when a driver's close is missing.
        """
        if not self.drivers:
            return []
        first, last = self.sessions[earlier], self.sessions[later]
        spans = ((0, 0), (1, 1), (1, 0))  # how many sessions back the move begins and ends
        means = [
            np.mean(
                [item.log_close(last, end, instant) - item.log_close(first, begin, instant) for item in self.drivers]
            )
            for begin, end in spans
        ]
        return [self.leverage * float(mean) for mean in means if not np.isnan(mean)]


def driver_closes(believed: pd.DataFrame, known_prices: pd.DataFrame, context: RowContext) -> list[DriverCloses]:
    """Collect the drivers' closes; of a day that both frames have, the row known earlier: the stored one."""
    return [
        _closes(
            context.sessions[item.exchange],
            *(frame[frame["symbol"] == item.symbol] for frame in (believed, known_prices)),
        )
        for item in context.universe.drivers
    ]


def _closes(sessions: pd.DatetimeIndex, *frames: pd.DataFrame) -> DriverCloses:
    logs, instants = np.full(len(sessions), np.nan), np.full(len(sessions), NEVER)
    for rows in frames:
        traded = rows[rows["observed_on"].isin(sessions)]
        places = sessions.searchsorted(traded["observed_on"].to_numpy())
        logs[places] = np.log(traded["close"].to_numpy())
        instants[places] = traded["available_at"].astype(INSTANT).astype("int64").to_numpy()
    return DriverCloses(sessions, logs, instants)
