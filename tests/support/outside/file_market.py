"""A market's folder made from files that a person has: a CSV for each symbol, as Yahoo's history pages give them.

    market_of_files(folder, {"CW8.PA": Path("CW8.PA.csv.gz")}, {"CW8.PA": "EUR"})

Columns are found by name, whatever their case: date, close, and open, high, low, volume where there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tests.support.outside.sample_market import NEW_YORK_META, PARIS_META, write_bars, write_meta, write_series

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLUMNS = ["open", "high", "low", "close", "volume"]


def market_of_files(
    folder: Path,
    prices: Mapping[str, Path],
    currencies: Mapping[str, str],
    series: Mapping[str, Path] | None = None,
) -> Path:
    """Write a market of real files and return its folder; a symbol in EUR trades in Paris, another in New York."""
    metas = {}
    for symbol, path in prices.items():
        home = currencies[symbol] == "EUR"
        kind = {"currency": currencies[symbol], "instrumentType": "INDEX" if symbol.startswith("^") else "ETF"}
        metas[symbol] = (PARIS_META if home else NEW_YORK_META) | kind
        write_bars(folder, symbol, read_bars(path))
    for name, path in (series or {}).items():
        write_series(folder, name, read_values(path))
    (folder / "fred").mkdir(exist_ok=True)
    write_meta(folder, metas)
    return folder


def read_bars(path: Path) -> pd.DataFrame:
    """Read a file of bars by day; a column that it lacks repeats the close, a volume that it lacks is 0."""
    table = _by_day(path)
    close = table["close"].astype("float64")
    bars = pd.DataFrame({name: table.get(name, close) for name in COLUMNS[:-1]})
    bars["volume"] = table["volume"].fillna(0).astype("int64") if "volume" in table else 0
    return bars[bars["close"].notna()]


def read_values(path: Path) -> pd.Series:
    """Read a file of a macro series: its first column is the day, its second the value ("." is none)."""
    table = _by_day(path)
    return pd.to_numeric(table.iloc[:, 0], errors="coerce")


def _by_day(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    table.columns = [str(name).strip().lower() for name in table.columns]
    days = pd.to_datetime(table.iloc[:, 0].astype("str").str.slice(0, 10))
    return table.iloc[:, 1:].set_index(pd.DatetimeIndex(days, name="date")).sort_index()
