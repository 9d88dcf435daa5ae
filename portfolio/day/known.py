"""What was known at an instant, as the frames the pure rooms take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.sessions import macro_known_at, price_known_at

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

    def macro_by_known_day(self, days: pd.DatetimeIndex, wanted: frozenset[str]) -> pd.DataFrame:
        """Place the wanted macro values on the first of the given days that could have used them.

        That is the day whose next Paris morning came after the value was first printed; values printed after the last
        day's morning are left out. A revised value stands where the first one stood: the store has already left out
        what was not known at the cutoff, and a revision fetched today must not empty the years before it.
        """
        rows = self.macro[self.macro["series"].isin(wanted)]
        if rows.empty or days.empty:
            return pd.DataFrame(index=days[:0])
        place = price_known_at(days).searchsorted(macro_known_at(rows["observed_on"]), side="left")
        usable = place < len(days)
        placed = rows.loc[usable, ["series", "observed_on", "value"]].assign(day=days[place[usable]])
        newest = placed.sort_values("observed_on").drop_duplicates(["series", "day"], keep="last")
        return newest.pivot(index="day", columns="series", values="value").sort_index()  # noqa: PD010  # unique, as above
