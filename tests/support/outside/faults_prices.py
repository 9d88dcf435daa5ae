"""Faults of a line's bars: rows without prices, missing, in another unit, of another day, or quietly rewritten."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from tests.support.outside.charts import PRICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.outside.charts import Chart
    from tests.support.outside.faults import Fault

QUOTED = [*PRICES, "adjclose"]
USD_PER_EUR = 1.08
TO_CENTS = 100.0
TRADING_DAY_S = 8 * 3600 + 35 * 60  # from the open to Paris's closing auction


ChartFault: TypeAlias = "Callable[[Chart, Fault], Chart]"


def scaled(chart: Chart, rows: slice, factor: float) -> Chart:
    """The chart with the prices of some rows multiplied."""
    bars = chart.bars.copy()
    places = bars.index[rows]
    bars.loc[places, QUOTED] = bars.loc[places, QUOTED] * factor
    return chart.with_bars(bars)


def _last(fault: Fault, usual: int) -> slice:
    return slice(-(fault.rows or usual), None)


def _nan_tail(chart: Chart, fault: Fault) -> Chart:
    if not chart.meta["exchangeTimezoneName"].startswith("Europe/"):
        return chart
    bars = chart.bars.copy()
    places = bars.index[_last(fault, 2)]
    bars.loc[places, QUOTED] = np.nan
    bars.loc[places, "volume"] = 0
    return chart.with_bars(bars)


def _last_without_prices(chart: Chart, fault: Fault) -> Chart:
    bars = chart.bars.copy()
    bars.loc[bars.index[_last(fault, 1)], QUOTED] = np.nan
    return chart.with_bars(bars)


def _missing_sessions(chart: Chart, fault: Fault) -> Chart:
    count = fault.rows or 2
    return chart.with_bars(chart.bars.drop(chart.bars.index[-1 - count : -1]))


def _missing_tail(chart: Chart, fault: Fault) -> Chart:
    return chart.with_bars(chart.bars.iloc[: -(fault.rows or 1)])


def _cents(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, _last(fault, 1), fault.factor or TO_CENTS)


def _cents_everywhere(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, slice(None), fault.factor or TO_CENTS)


def _pence(chart: Chart, fault: Fault) -> Chart:
    flipped = scaled(chart, slice(None), fault.factor or TO_CENTS)
    return replace(flipped, meta=chart.meta | {"currency": "GBp"})


def _usd_rows(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, slice(-(fault.rows or 5), None, 2), fault.factor or USD_PER_EUR)


def _usd(chart: Chart, fault: Fault) -> Chart:
    return replace(_cents_everywhere(chart, replace(fault, factor=USD_PER_EUR)), meta=chart.meta | {"currency": "USD"})


def _live_row(chart: Chart, _fault: Fault) -> Chart:
    """The last session twice: half-made under the stamp of its open, and whole under the stamp of its close."""
    bars = chart.bars
    early, whole = bars.iloc[[-1]].copy(), bars.iloc[[-1]].copy()
    early[["close", "adjclose"]] = float(early["open"].iloc[0])
    early["volume"] = early["volume"] // 3
    whole["stamp"] = whole["stamp"] + TRADING_DAY_S
    return chart.with_bars(pd.concat([bars.iloc[:-1], early, whole]))


def _utc_midnight(chart: Chart, _fault: Fault) -> Chart:
    """Stamped with the exchange's midnight and labelled UTC: every day reads as the day before."""
    zone = chart.meta["exchangeTimezoneName"]
    midnights = pd.to_datetime(chart.bars["stamp"], unit="s", utc=True).dt.tz_convert(zone).dt.normalize()
    stamps = midnights.dt.tz_convert("UTC").dt.as_unit("s").astype("int64")
    meta = chart.meta | {"exchangeTimezoneName": "UTC", "timezone": "UTC", "gmtoffset": 0}
    return replace(chart, meta=meta).with_bars(chart.bars.assign(stamp=stamps))


def _carried_forward(chart: Chart, fault: Fault) -> Chart:
    bars = chart.bars.copy()
    count = fault.rows or 3
    carried, adjusted = bars[["close", "adjclose"]].iloc[-1 - count]
    bars.loc[bars.index[-count:], PRICES] = carried
    bars.loc[bars.index[-count:], "adjclose"] = adjusted
    return chart.with_bars(bars)


def _restated_scale(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, slice(None, -(fault.rows or 1)), fault.factor or 1.02)


def _restated_rows(chart: Chart, fault: Fault) -> Chart:
    """Some rows told otherwise than before, far beyond a correction."""
    count = fault.rows or 2
    return scaled(chart, slice(-4 - count, -4), fault.factor or 1.3)


def _corrected_rows(chart: Chart, fault: Fault) -> Chart:
    """Some rows told otherwise than before, by as much as a provider corrects."""
    return _restated_rows(chart, replace(fault, factor=fault.factor or 1.01))


def _bad_tick(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, _last(fault, 1), fault.factor or 1.6)


def _zero_price(chart: Chart, fault: Fault) -> Chart:
    return scaled(chart, _last(fault, 1), 0.0)


def _close_outside(chart: Chart, fault: Fault) -> Chart:
    """A close above the day's high: one column of another row or unit."""
    bars = chart.bars.copy()
    places = bars.index[_last(fault, 1)]
    bars.loc[places, "close"] = bars.loc[places, "high"] * (fault.factor or 1.05)
    return chart.with_bars(bars)


PRICE_FAULTS: dict[str, ChartFault] = {
    "nan-tail": _nan_tail,
    "last-without-prices": _last_without_prices,
    "missing-sessions": _missing_sessions,
    "missing-tail": _missing_tail,
    "cents": _cents,
    "cents-everywhere": _cents_everywhere,
    "pence": _pence,
    "usd-rows": _usd_rows,
    "usd": _usd,
    "live-row": _live_row,
    "utc-midnight": _utc_midnight,
    "carried-forward": _carried_forward,
    "restated-scale": _restated_scale,
    "restated-rows": _restated_rows,
    "corrected-rows": _corrected_rows,
    "bad-tick": _bad_tick,
    "zero-price": _zero_price,
    "close-outside": _close_outside,
}
