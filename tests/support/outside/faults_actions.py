"""Faults of splits and dividends: not applied, invented, lost, told twice, in another unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from tests.support.outside.faults_prices import TO_CENTS, scaled

if TYPE_CHECKING:
    from tests.support.outside.charts import Chart
    from tests.support.outside.faults import Fault
    from tests.support.outside.faults_prices import ChartFault

NEW_FOR_OLD = 2.0
HOUR_S = 3600


def _split_not_applied(chart: Chart, _fault: Fault) -> Chart:
    """The newest split is told, but the rows before it still stand in old shares."""
    if chart.splits.empty:
        return chart
    stamp, ratio = chart.splits.iloc[-1]
    before = int((chart.bars["stamp"] < stamp).sum())
    return _with_shares(scaled(chart, slice(before), float(ratio)), before, 1 / float(ratio))


def _split_invented(chart: Chart, fault: Fault) -> Chart:
    """A split of the last session that never was, with the rows before it adjusted for it."""
    ratio, before = fault.factor or NEW_FOR_OLD, len(chart.bars) - 1
    adjusted = _with_shares(scaled(chart, slice(before), 1 / ratio), before, ratio)
    return _with_split(adjusted, ratio)


def _split_without_effect(chart: Chart, fault: Fault) -> Chart:
    """A split of the last session that never was, and no row knows of it."""
    return _with_split(chart, fault.factor or NEW_FOR_OLD)


def _split_lost(chart: Chart, _fault: Fault) -> Chart:
    """The newest split is applied to the rows before it, but not told."""
    return replace(chart, splits=chart.splits.iloc[:-1])


def _dividend_twice(chart: Chart, _fault: Fault) -> Chart:
    """The newest dividend again on the last session: on its payment day, say."""
    if chart.dividends.empty:
        return chart
    return _with_dividend(chart, int(chart.bars["stamp"].iloc[-1]), float(chart.dividends["amount"].iloc[-1]))


def _dividend_same_day(chart: Chart, _fault: Fault) -> Chart:
    """The newest dividend twice on its own day, under two stamps."""
    if chart.dividends.empty:
        return chart
    stamp, amount = chart.dividends.iloc[-1]
    return _with_dividend(chart, int(stamp) + HOUR_S, float(amount))


def _dividend_in_cents(chart: Chart, fault: Fault) -> Chart:
    """The newest dividend in cents."""
    amounts = chart.dividends["amount"].copy()
    amounts.iloc[-1:] = amounts.iloc[-1:] * (fault.factor or TO_CENTS)
    return replace(chart, dividends=chart.dividends.assign(amount=amounts))


def _dividend_lost(chart: Chart, _fault: Fault) -> Chart:
    """The newest dividend is not told."""
    return replace(chart, dividends=chart.dividends.iloc[:-1])


def _with_shares(chart: Chart, before: int, factor: float) -> Chart:
    volumes = chart.bars["volume"].copy()
    volumes.iloc[:before] = (volumes.iloc[:before] * factor).round()
    return chart.with_bars(chart.bars.assign(volume=volumes))


def _with_split(chart: Chart, ratio: float) -> Chart:
    told = pd.DataFrame({"stamp": chart.bars["stamp"].iloc[-1:], "ratio": [ratio]})
    return replace(chart, splits=pd.concat([chart.splits, told], ignore_index=True))


def _with_dividend(chart: Chart, stamp: int, amount: float) -> Chart:
    told = pd.concat([chart.dividends, pd.DataFrame({"stamp": [stamp], "amount": [amount]})])
    return replace(chart, dividends=told.sort_values("stamp", ignore_index=True))


ACTION_FAULTS: dict[str, ChartFault] = {
    "split-not-applied": _split_not_applied,
    "split-invented": _split_invented,
    "split-without-effect": _split_without_effect,
    "split-lost": _split_lost,
    "dividend-twice": _dividend_twice,
    "dividend-same-day": _dividend_same_day,
    "dividend-in-cents": _dividend_in_cents,
    "dividend-lost": _dividend_lost,
}
