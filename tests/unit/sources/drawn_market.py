"""A small market for the stub: drawn closes on real sessions, and drawn FRED values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tests.support.outside.sample_market import write_bars, write_meta
from tests.unit.sources.tables import UNIVERSE, sessions_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

FIRST = pd.Timestamp("2024-06-03").date()  # 3-7, 10-14 and 17-18 June 2024 are sessions of both exchanges
ZONES = {"XPAR": "Europe/Paris", "XNYS": "America/New_York"}


def drawn_market(folder: Path, closes: Mapping[str, list[float]], series: Mapping[str, str] | None = None) -> Path:
    """Write lines of these closes from FIRST on (open, high and low around them), and series as CSV text."""
    folder.mkdir()
    for symbol, values in closes.items():
        days = pd.DatetimeIndex(sessions_from(FIRST, len(values), symbol))
        bars = pd.DataFrame({"open": values, "high": values, "low": values, "close": values}, index=days)
        bars = bars.assign(high=bars["close"] + 1, low=bars["close"] - 1, volume=1000)
        write_bars(folder, symbol, bars)
    write_meta(folder, {symbol: meta_of(symbol) for symbol in closes})
    for name, text in (series or {}).items():
        target = folder / "fred" / f"{name}.csv"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")
    return folder


def meta_of(symbol: str) -> dict[str, str]:
    """What Yahoo tells of a symbol of the packaged universe."""
    zone = ZONES[UNIVERSE.exchanges[symbol]]
    return {"currency": UNIVERSE.currencies[symbol], "exchangeTimezoneName": zone, "instrumentType": "ETF"}


def session(symbol: str, place: int) -> date:
    """Return the day of the symbol's drawn close at a place."""
    return sessions_from(FIRST, place + 1, symbol)[-1]
