"""A folder of small CSV files as a market: unadjusted bars, actions, macro values with their vintages.

meta.json               symbol -> currency, exchangeTimezoneName, instrumentType, exchangeName
prices/SYMBOL.csv       date,open,high,low,close,volume   unadjusted
actions/SYMBOL.csv      date,kind,value                   kind: dividend or split; absent: none
fred/SERIES.csv         date,value[,realtime_start]       an empty value is a day without one
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar
from pandas.tseries.offsets import CustomBusinessDay

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = ZoneInfo("America/New_York")
OPENS = {"Europe/Paris": time(9, 0), "America/New_York": time(9, 30)}
CLOSES = {"Europe/Paris": time(17, 30), "America/New_York": time(16, 0)}
# The Federal Reserve's daily rates stand on FRED the next business day from about this time in New York (release H.15).
FRED_PRINTS = pd.Timedelta(hours=16, minutes=15)


@dataclass(frozen=True, slots=True)
class Line:
    """A symbol's whole truth: `bars` by session (unadjusted; opens_at, closes_at in UTC), `actions` by session."""

    symbol: str
    meta: dict[str, Any]
    bars: pd.DataFrame
    actions: pd.DataFrame

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return ZoneInfo(self.meta["exchangeTimezoneName"])


@dataclass(frozen=True, slots=True)
class Market:
    """Every line and series of a folder; `series`: date, value (NaN: none), realtime_start, known_at (UTC)."""

    lines: dict[str, Line]
    series: dict[str, pd.DataFrame]


def read_market(folder: Path) -> Market:
    """Read a market's folder."""
    metas = json.loads((folder / "meta.json").read_text("utf-8"))
    lines = {symbol: _line(folder, symbol, meta) for symbol, meta in metas.items()}
    return Market(lines, {path.stem: _series(path) for path in sorted((folder / "fred").glob("*.csv"))})


def _line(folder: Path, symbol: str, meta: dict[str, Any]) -> Line:
    bars = pd.read_csv(folder / "prices" / f"{symbol}.csv", parse_dates=["date"])
    zone = meta["exchangeTimezoneName"]
    bars["opens_at"] = _instants(bars["date"], OPENS[zone], zone)
    bars["closes_at"] = _instants(bars["date"], CLOSES[zone], zone)
    actions = folder / "actions" / f"{symbol}.csv"
    held = pd.read_csv(actions, parse_dates=["date"]) if actions.exists() else _no_actions()
    return Line(symbol, meta, bars, held.assign(opens_at=_instants(held["date"], OPENS[zone], zone)))


def _instants(days: pd.Series, clock: time, zone: str) -> pd.Series:
    local = days + pd.Timedelta(hours=clock.hour, minutes=clock.minute)
    return local.dt.tz_localize(zone).dt.tz_convert("UTC")


def _no_actions() -> pd.DataFrame:
    return pd.DataFrame({"date": pd.Series(dtype="datetime64[us]"), "kind": pd.Series(dtype="str"), "value": []})


def _series(path: Path) -> pd.DataFrame:
    values = pd.read_csv(path, parse_dates=["date"])
    if "realtime_start" not in values:
        values["realtime_start"] = printed_on(values["date"])
    values["realtime_start"] = pd.to_datetime(values["realtime_start"])
    values["known_at"] = (values["realtime_start"] + FRED_PRINTS).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    return values.sort_values(["date", "realtime_start"], ignore_index=True)


def printed_on(days: pd.Series) -> pd.Series:
    """The American business day after each day, on which FRED prints its daily value."""
    business = CustomBusinessDay(calendar=USFederalHolidayCalendar())
    return pd.Series([day + business for day in days], index=days.index, dtype="datetime64[us]")


def newest_instant(market: Market) -> datetime:
    """The first instant at which all that the market has is known."""
    ends = [line.bars["closes_at"].iloc[-1] for line in market.lines.values()]
    ends += [values["known_at"].max() for values in market.series.values()]
    return max(ends).to_pydatetime()
