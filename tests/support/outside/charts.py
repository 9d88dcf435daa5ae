"""What Yahoo holds of a line at an instant: split-adjusted bars, dividends and splits, and the running bar.

Pure: a line and an instant in, a chart out; a fault is another chart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.outside.market import Line

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True, slots=True)
class Chart:
    """`bars`: stamp (epoch seconds), open, high, low, close, adjclose, volume; `dividends`: stamp, amount;
    `splits`: stamp, ratio. `meta` as Yahoo words it.
    """

    meta: dict[str, Any]
    bars: pd.DataFrame
    dividends: pd.DataFrame
    splits: pd.DataFrame

    def with_bars(self, bars: pd.DataFrame) -> Chart:
        """The chart with other bars."""
        return replace(self, bars=bars.reset_index(drop=True))


def chart_of(line: Line, now: datetime) -> Chart:
    """Everything that Yahoo would serve of the line at that instant."""
    known = line.bars[line.bars["opens_at"] <= now].reset_index(drop=True)
    actions = line.actions[line.actions["opens_at"] <= now]
    splits = actions[actions["kind"] == "split"]
    dividends = actions[actions["kind"] == "dividend"]
    # A bar, or a dividend, of a day before the split is told in shares of after it.
    bars = _with_running_bar(known, now)
    shares = later_splits(bars["date"], splits)
    for column in PRICES:
        bars[column] = bars[column] / shares
    bars["volume"] = (bars["volume"] * shares).round()
    amounts = dividends["value"] / later_splits(dividends["date"], splits)
    bars["adjclose"] = bars["close"] * _dividend_factors(bars, dividends["date"], amounts)
    bars = bars.assign(stamp=epoch(bars["stamp_at"]))
    return Chart(
        meta=_meta(line, bars, now),
        bars=bars[["stamp", *PRICES, "adjclose", "volume"]],
        dividends=pd.DataFrame({"stamp": epoch(dividends["opens_at"]), "amount": amounts.astype("float64")}),
        splits=pd.DataFrame({"stamp": epoch(splits["opens_at"]), "ratio": splits["value"].astype("float64")}),
    )


def later_splits(days: pd.Series, splits: pd.DataFrame) -> pd.Series:
    """How many shares of now one share of each day became: the product of the ratios of splits after it."""
    shares = pd.Series(1.0, index=days.index)
    for day, ratio in zip(splits["date"], splits["value"], strict=True):
        shares = shares.where(days >= day, shares * ratio)
    return shares


def epoch(instants: pd.Series) -> pd.Series:
    """Instants as whole seconds since 1970."""
    return instants.dt.as_unit("s").astype("int64")


def _with_running_bar(known: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """While the last session runs its bar is half-made, and stamped with the last trade instead of the open."""
    bars = known.assign(stamp_at=known["opens_at"])
    if len(bars) and bars["closes_at"].iloc[-1] > now:
        last = bars.index[-1]
        first, final = bars.loc[last, "open"], bars.loc[last, "close"]
        price = round((first + final) / 2, 4)
        bars.loc[last, ["high", "low", "close"]] = [max(first, price), min(first, price), price]
        bars.loc[last, "volume"] = bars.loc[last, "volume"] // 2
        bars.loc[last, "stamp_at"] = pd.Timestamp(now).floor("s")
    return bars


def _dividend_factors(bars: pd.DataFrame, days: pd.Series, amounts: pd.Series) -> pd.Series:
    """Yahoo's adjusted close: before each dividend, less its share of the close of the session before."""
    factors = pd.Series(1.0, index=bars.index)
    for day, amount in zip(days, amounts, strict=True):
        before = bars["date"] < day
        if before.any():
            factors = factors.where(~before, factors * (1 - amount / bars.loc[before, "close"].iloc[-1]))
    return factors


def _meta(line: Line, bars: pd.DataFrame, now: datetime) -> dict[str, Any]:
    zone = line.zone
    local = pd.Timestamp(now).tz_convert(zone)
    meta = {
        **line.meta,
        "symbol": line.symbol,
        "gmtoffset": int((local.utcoffset() or timedelta()).total_seconds()),
        "timezone": local.tzname(),
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }
    if len(bars):
        last = bars.iloc[-1]
        meta["firstTradeDate"] = int(bars["stamp"].iloc[0])
        meta["regularMarketTime"] = int(min(last["closes_at"], pd.Timestamp(now)).timestamp())
        meta["regularMarketPrice"] = float(last["close"])
        session = {"start": int(last["opens_at"].timestamp()), "end": int(last["closes_at"].timestamp())}
        period = session | {"timezone": meta["timezone"], "gmtoffset": meta["gmtoffset"]}
        meta["currentTradingPeriod"] = {"pre": period, "regular": period, "post": period}
    return meta
