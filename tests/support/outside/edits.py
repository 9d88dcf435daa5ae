"""Changes to a market's folder that make a truth: a dividend paid, a split done, a session that did not happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

PRICES = ["open", "high", "low", "close"]


def add_dividend(folder: Path, symbol: str, day: date, amount: float) -> None:
    """Let the line pay a dividend: from that day on its prices are lower by it."""
    bars = _bars(folder, symbol)
    after = bars.index >= pd.Timestamp(day)
    bars.loc[after, PRICES] = (bars.loc[after, PRICES] - amount).round(4)
    _write(folder, symbol, bars)
    _add_action(folder, symbol, day, "dividend", amount)


def add_split(folder: Path, symbol: str, day: date, ratio: float) -> None:
    """Let the line split: from that day on `ratio` new shares stand for one old."""
    bars = _bars(folder, symbol)
    after = bars.index >= pd.Timestamp(day)
    bars.loc[after, PRICES] = (bars.loc[after, PRICES] / ratio).round(4)
    bars.loc[after, "volume"] = (bars.loc[after, "volume"] * ratio).round().astype("int64")
    _write(folder, symbol, bars)
    _add_action(folder, symbol, day, "split", ratio)


def _bars(folder: Path, symbol: str) -> pd.DataFrame:
    return pd.read_csv(folder / "prices" / f"{symbol}.csv", parse_dates=["date"], index_col="date")


def _write(folder: Path, symbol: str, bars: pd.DataFrame) -> None:
    bars.to_csv(folder / "prices" / f"{symbol}.csv", date_format="%Y-%m-%d")


def _add_action(folder: Path, symbol: str, day: date, kind: str, value: float) -> None:
    target = folder / "actions" / f"{symbol}.csv"
    target.parent.mkdir(exist_ok=True)
    known = target.read_text("utf-8") if target.exists() else "date,kind,value\n"
    target.write_text(f"{known}{day},{kind},{value}\n", "utf-8")
