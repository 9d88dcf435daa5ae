"""The charts of the regime over time: which days, how many points, in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from portfolio.report import wording
from portfolio.report.regime_panels import LIKELY, NARROW, STATE, WIDE, Story, draw

if TYPE_CHECKING:
    from portfolio.report.data import RegimePart

RECENT = pd.DateOffset(years=3)
POINTS_AT_MOST = 1000  # a drawing has no more units across; beyond it each week's last session stands for the week
POINTS_AT_LEAST = 2  # for a line


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart with its caption, drawn for wide and narrow pages."""

    caption: str
    drawings: Markup


def regime_charts(regime: RegimePart | None) -> list[Chart]:
    """Draw the last three years and the full history; nothing where there are no two points."""
    if regime is None:
        return []
    table = regime_table(regime)
    recent = table[table.index > table.index.max() - RECENT]
    periods = [("regime-recent", "The last three years", recent)]
    periods += [("regime-full", "Full history", table)] if len(recent) < len(table) else []
    return [_chart(name, words, part, regime) for name, words, part in periods if len(part) >= POINTS_AT_LEAST]


def regime_table(regime: RegimePart) -> pd.DataFrame:
    """Join everything drawn on the probabilities' days.

    Returns float64, index observed_on, columns "driver", "vol" (left out when not given or nowhere known) and
    "state:<label>" per label. A day that a series lacks is NaN and interrupts its line; nothing is filled. A driver
    level that is not positive has no place on a log axis and is NaN.
    """
    columns = {"driver": regime.driver.where(regime.driver > 0), "vol": regime.vol_annual}
    columns |= {STATE + label: regime.history[label] for label in regime.probabilities}
    known = {name: column.reindex(regime.history.index) for name, column in columns.items() if column is not None}
    table = pd.DataFrame(known, dtype="float64")
    return table.drop(columns=[name for name in ("vol",) if name in table and table[name].isna().all()])


def weekly(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the last row of each week; values and their days stay as they are, nothing is averaged."""
    return table.groupby(pd.DatetimeIndex(table.index).to_period("W-SUN")).tail(1)


def _chart(name: str, period: str, table: pd.DataFrame, regime: RegimePart) -> Chart:
    thin = len(table) > POINTS_AT_MOST
    first, last = (wording.day(pd.Timestamp(table.index[place]).date()) for place in (0, -1))
    caption = f"{period}, {first} to {last} ({'last session of each week' if thin else 'every session'})"
    story = Story(weekly(table) if thin else table, caption, _description(table, regime))
    return Chart(caption, Markup().join(draw(f"{name}-{shape.classes}", shape, story) for shape in (WIDE, NARROW)))


def _description(table: pd.DataFrame, regime: RegimePart) -> str:
    label = list(regime.probabilities)[-1]
    stressed = table[STATE + label]
    return (
        f"Filtered probability of {label}: {wording.probability(float(stressed.iloc[-1]))} on the last day, "
        f"above 50 % on {wording.percent(float((stressed > LIKELY).mean()))} of the sessions shown."
    )
