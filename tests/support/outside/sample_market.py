"""A market's folder made from the packaged sample: real index closes, lines reconstructed from them, the rest made up.

Made up, but the same on every machine: open, high, low and volume of every line; PAEEM.PA, for which the sample has no
stand-in; BAA10Y; VIXCLS before 2014.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.sources.sample import fetch_sample, sample_clock
from portfolio.universe import read_universe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARIS_META = {"exchangeTimezoneName": "Europe/Paris", "exchangeName": "PAR", "fullExchangeName": "Paris"}
NEW_YORK_META = {"exchangeTimezoneName": "America/New_York", "exchangeName": "SNP", "fullExchangeName": "SNP"}
THOUSANDS = 1000.0  # an index of this size is quoted with two digits
ALWAYS = (date(1990, 1, 1), date(2099, 12, 31))


def market_of_sample(folder: Path, first: date = ALWAYS[0], last: date = ALWAYS[1]) -> Path:
    """Write the packaged universe's market from first to last day, and return the folder."""
    universe = read_universe()
    batch = fetch_sample(universe, sample_clock())
    closes = {str(symbol): rows.set_index("observed_on")["close"] for symbol, rows in batch.prices.groupby("symbol")}
    closes["PAEEM.PA"] = _emerging(closes["WPEA.PA"])
    metas = {}
    for symbol in universe.exchanges:
        home = universe.exchanges[symbol] == "XPAR"
        kind = {"currency": universe.currencies[symbol], "instrumentType": "ETF" if home else "INDEX"}
        metas[symbol] = (PARIS_META if home else NEW_YORK_META) | kind
        write_bars(folder, symbol, bars_of(symbol, closes[symbol])[str(first) : str(last)])
    macro = {str(name): rows.set_index("observed_on")["value"] for name, rows in batch.macro.groupby("series")}
    for series, values in (macro | _made_up_macro(macro)).items():
        write_series(folder, series, values[str(first) : str(last)])
    write_meta(folder, metas)
    return folder


def write_meta(folder: Path, metas: Mapping[str, Mapping[str, str]]) -> None:
    """Write what Yahoo tells of each symbol."""
    (folder / "meta.json").write_text(json.dumps(metas, indent=1, sort_keys=True), "utf-8")


def write_bars(folder: Path, symbol: str, bars: pd.DataFrame) -> None:
    """Write a line's bars, indexed by day."""
    target = folder / "prices" / f"{symbol}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    bars.rename_axis("date").to_csv(target, date_format="%Y-%m-%d")


def write_series(folder: Path, series: str, values: pd.Series) -> None:
    """Write a macro series with a line for every weekday: FRED has one for bank holidays too, without a value."""
    target = folder / "fred" / f"{series}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    weekdays = pd.bdate_range(values.index[0], values.index[-1])
    values.reindex(weekdays).rename("value").rename_axis("date").to_csv(target, date_format="%Y-%m-%d")


def bars_of(symbol: str, closes: pd.Series) -> pd.DataFrame:
    """Made-up opens, highs, lows and volumes around given closes, drawn from the symbol's name and the place."""
    draw, count = drawing(symbol), len(closes)
    digits = 2 if closes.iloc[-1] >= THOUSANDS else 4
    close = np.asarray(closes, dtype=np.float64).round(digits)
    before = np.concatenate([close[:1], close[:-1]])
    first = (before * (1 + 0.002 * draw.standard_normal(count))).round(digits)
    high = (np.maximum(first, close) * (1 + 0.004 * draw.random(count))).round(digits)
    low = (np.minimum(first, close) / (1 + 0.004 * draw.random(count))).round(digits)
    volume = np.exp(11 + 0.4 * draw.standard_normal(count)).round().astype("int64")
    columns = {"open": first, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(columns, index=closes.index)


def drawing(name: str) -> np.random.Generator:
    """A generator that draws the same for a name everywhere."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def _emerging(world: pd.Series) -> pd.Series:
    """Made up: most of the world line's return, and some of its own."""
    own = 0.006 * drawing("PAEEM.PA").standard_normal(len(world))
    returns = np.asarray(world.pct_change().fillna(0.0), dtype=np.float64)
    growth = 1 + 0.8 * returns + own
    return pd.DataFrame({"close": 12.0 * growth.cumprod()}, index=world.index)["close"]


def _made_up_macro(macro: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    days = macro["DGS10"].index
    early = days[days < macro["VIXCLS"].index[0]]
    vix = _wandering("VIXCLS", early, 19.0, 1.2).clip(9.0, 80.0)
    spread = _wandering("BAA10Y", days, 2.6, 0.05).clip(1.2, 6.5)
    return {"VIXCLS": pd.concat([vix, macro["VIXCLS"]]).round(2), "BAA10Y": spread.round(2)}


def _wandering(name: str, days: pd.Index, level: float, step: float) -> pd.Series:
    """A path that returns to its level, a fiftieth of the way each day."""
    steps = step * drawing(name).standard_normal(len(days))
    path, place = [], level
    for own in steps.tolist():
        place += (level - place) / 50 + own
        path.append(place)
    return pd.DataFrame({"value": path}, index=days)["value"]
