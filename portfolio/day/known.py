"""What was known at an instant, as the frames the pure rooms take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.sessions import price_known_at

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class KnownData:
    """Believed prices and macro values, and the rows in quarantine, as the store knew them at a cutoff.

    Frames are long and sorted by symbol and day, with the columns of `portfolio.sources.batch`.
    """

    prices: pd.DataFrame
    macro: pd.DataFrame
    quarantined: pd.DataFrame
    batch_id: int

    def closes(self, symbols: Iterable[str]) -> pd.DataFrame:
        """Return closes by day (rows) and symbol (columns, as asked); NaN where a symbol has none."""
        wanted = list(symbols)
        rows = self.prices[self.prices["symbol"].isin(wanted)]
        return rows.pivot(index="observed_on", columns="symbol", values="close").reindex(columns=wanted).sort_index()  # noqa: PD010  # days and symbols are unique: pivot_table would average

    def last_closes(self, symbols: Iterable[str]) -> dict[str, float]:
        """Return the newest close of each symbol that has one."""
        rows = self.prices[self.prices["symbol"].isin(list(symbols))]
        newest = rows.drop_duplicates("symbol", keep="last")
        return {str(symbol): float(close) for symbol, close in zip(newest["symbol"], newest["close"], strict=True)}

    def macro_by_known_day(self, days: pd.DatetimeIndex) -> pd.DataFrame:
        """Place macro values on the first of the given days whose closes were known no earlier than they were.

        A value stands on the day whose next Paris morning it was known by, which is the day a decision could have
        used it for. Values known only after the last day are left out.
        """
        if self.macro.empty or days.empty:
            return pd.DataFrame(index=days[:0])
        mornings = price_known_at(days)
        place = mornings.searchsorted(pd.DatetimeIndex(self.macro["available_at"]), side="left")
        usable = place < len(days)
        placed = self.macro.loc[usable, ["series", "observed_on", "value"]].assign(day=days[place[usable]])
        newest = placed.sort_values("observed_on").drop_duplicates(["series", "day"], keep="last")
        return newest.pivot(index="day", columns="series", values="value").sort_index()  # noqa: PD010  # unique, as above
