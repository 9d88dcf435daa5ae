"""The panels of a regime chart, one above the other on one time axis: driver, probability, volatility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from portfolio.report import svg, wording

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATE = "state:"
LIKELY = 0.5
DAYS_A_YEAR = 365.25
CALMEST_AXIS = 0.01  # a market that never moves still needs an axis
TITLE_ROOM = 28.0
GAP = 14.0
FOOT = 24.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the two sizes a chart is drawn in."""

    classes: str
    width: float
    left: float
    right: float
    driver_height: float
    state_height: float
    vol_height: float
    time_labels: int  # as many as fit side by side


WIDE = Shape("wide", 1000, 50, 64, 220, 130, 90, 14)
NARROW = Shape("narrow", 360, 36, 48, 160, 110, 76, 4)


@dataclass(frozen=True, slots=True)
class Story:
    """What one chart tells: the table of `regime_table` and the words around it."""

    table: pd.DataFrame
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class _Panel:
    """One panel's place: titled above `top`, its values between `bottom` and `top`."""

    across: svg.Scale
    x: NDArray[np.float64]
    top: float
    bottom: float
    right: float

    def scale(self, low: float, high: float, *, log: bool = False) -> svg.Scale:
        return svg.Scale(low, high, self.bottom, self.top, log)


def draw(name: str, shape: Shape, story: Story) -> Markup:
    """Draw one chart in one size; the table has two rows or more."""
    table = story.table
    days = _days(table.index)
    across = svg.Scale(days[0], days[-1], shape.left, shape.width - shape.right)
    painters = [(shape.driver_height, _driver), (shape.state_height, _states)]
    painters += [(shape.vol_height, _volatility)] if "vol" in table else []
    parts, top = [], 0.0
    for height, paint in painters:
        panel = _Panel(across, across.places(days), top + TITLE_ROOM, top + TITLE_ROOM + height, shape.width)
        parts.append(paint(panel, story))
        top = panel.bottom + GAP
    height = top - GAP + FOOT
    parts.append(_time_axis(across, table.index, height - FOOT, shape.time_labels))
    return svg.drawing(svg.Frame(name, shape.width, height, story.title, story.description), shape.classes, parts)


def _driver(panel: _Panel, story: Story) -> Markup:
    values = _values(story, "driver")
    if np.isnan(values).all():
        return Markup()
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scale = panel.scale(low * 0.97, high * 1.03, log=True)
    stressed = _values(story, _states_of(story.table)[-1]) > LIKELY
    parts = [_title(panel, "Index level, log scale")]
    parts += [_grid(panel, scale, tick, wording.grouped(tick)) for tick in svg.log_ticks(scale.low, scale.high, 4)]
    parts += [svg.rect("shade", x, panel.top, width, panel.bottom - panel.top) for x, width in _runs(panel.x, stressed)]
    parts += [_line(panel, scale, values, "driver", wording.grouped(float(values[-1])))]
    return Markup().join(parts)


def _states(panel: _Panel, story: Story) -> Markup:
    scale = panel.scale(0.0, 1.0)
    states = _states_of(story.table)
    parts = [_title(panel, f"Probability of {' and '.join(_plain(state) for state in states[:0:-1])}, filtered")]
    parts += [_grid(panel, scale, tick, wording.percent(tick, 0)) for tick in (0.0, 0.5, 1.0)]
    floor = np.zeros(len(story.table))
    for place, state in enumerate(states[:0:-1]):
        roof = floor + _values(story, state)
        band = svg.band_path(panel.x, scale.places(roof), scale.places(floor))
        parts.append(svg.path(f"area area-{place}", band))
        floor = roof
    stressed = _values(story, states[-1])
    newest = wording.probability(float(stressed[-1]))
    return Markup().join([*parts, _line(panel, scale, stressed, "stressed", newest)])


def _volatility(panel: _Panel, story: Story) -> Markup:
    values = _values(story, "vol")
    scale = panel.scale(0.0, max(float(np.nanmax(values)) * 1.05, CALMEST_AXIS))
    parts = [_title(panel, "Realised volatility, 21 sessions, per year")]
    parts += [_grid(panel, scale, tick, wording.percent(tick, 0)) for tick in svg.ticks(0.0, scale.high, 3)]
    parts += [_line(panel, scale, values, "vol", wording.percent(float(values[-1])))]
    return Markup().join(parts)


def _states_of(table: pd.DataFrame) -> list[str]:
    """Return the state columns, calmest first."""
    return [str(column) for column in table.columns if str(column).startswith(STATE)]


def _values(story: Story, column: str) -> NDArray[np.float64]:
    return np.asarray(story.table[column], dtype=np.float64)


def _plain(state: str) -> str:
    return state.removeprefix(STATE)


def _title(panel: _Panel, words: str) -> Markup:
    return svg.text("panel-title", panel.across.start, panel.top - 10, words)


def _grid(panel: _Panel, scale: svg.Scale, tick: float, label: str) -> Markup:
    y = scale.at(tick)
    mark = svg.text("tick", panel.across.start - 6, y + 4, label, "end")
    return svg.line("grid", panel.across.start, y, panel.across.end, y) + mark


def _line(panel: _Panel, scale: svg.Scale, values: NDArray[np.float64], classes: str, newest: str) -> Markup:
    """Draw a series, its newest value marked and written at the right edge."""
    y = scale.places(values)
    drawn = svg.path(f"series {classes}", svg.line_path(panel.x, y))
    if np.isnan(y[-1]):
        return drawn
    label = svg.text(f"newest {classes}-text", panel.across.end + 8, float(y[-1]) + 4, newest)
    return drawn + svg.dot(f"{classes}-dot", panel.across.end, float(y[-1])) + label


def _runs(x: NDArray[np.float64], marked: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return left edge and width of each run of marked points; a run reaches the next point's place."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(int)))
    starts, ends = edges[::2], np.minimum(edges[1::2], len(x) - 1)
    return [(float(x[start]), float(x[end] - x[start])) for start, end in zip(starts, ends, strict=True)]


def _time_axis(across: svg.Scale, index: pd.Index, y: float, labels: int) -> Markup:
    first, last = pd.Timestamp(index[0]), pd.Timestamp(index[-1])
    years = (last - first).days / DAYS_A_YEAR
    months = next((step for step in (1, 3, 6, 12, 24, 60, 120) if years * 12 / step <= labels), 240)
    stamps = pd.date_range(first.normalize(), last, freq="MS")
    parts = []
    for stamp in stamps[[(stamp.year * 12 + stamp.month - 1) % months == 0 for stamp in stamps]]:
        x = across.at(float(_days(pd.DatetimeIndex([stamp]))[0]))
        parts.append(svg.line("grid", x, y, x, y + 5))
        month = "" if months % 12 == 0 else f"{wording.MONTHS[stamp.month - 1]} "
        parts.append(svg.text("tick", x, y + 19, f"{month}{stamp.year}", "middle"))
    return Markup().join(parts)


def _days(index: pd.Index) -> NDArray[np.float64]:
    """Return the days as numbers: days since 1970."""
    return np.asarray(index.to_numpy("datetime64[D]"), dtype=np.float64)
