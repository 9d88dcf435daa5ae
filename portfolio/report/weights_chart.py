"""The chart of weights: what is held, what the orders make of it, and the target, per line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from portfolio.report import svg, wording
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portfolio.report.data import LimitRow

AXIS_STEP = 0.1
TOP = 8.0
FOOT = 26.0


@dataclass(frozen=True, slots=True)
class WeightRow:
    """One line's weights as fractions; `after` is None without a plan, `before` without an earlier decision."""

    ticker: str
    name: str
    held: float
    target: float
    after: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class _Shape:
    classes: str
    width: float
    left: float
    right: float
    row: float
    bar_at: float  # from the row's top to the bars' top
    label_above: bool


WIDE = _Shape("wide", 1000, 96, 130, 38, 8, label_above=False)
NARROW = _Shape("narrow", 360, 2, 6, 50, 23, label_above=True)
HELD_HEIGHT = 20.0
AFTER_HEIGHT = 9.0


def weights_chart(rows: Sequence[WeightRow], limits: Sequence[LimitRow], aim: str = "target") -> Markup:
    """Draw the weights twice, for a wide and for a narrow page; `aim` is what the target is called."""
    return Markup().join(_draw(shape, rows, limits, aim) for shape in (WIDE, NARROW))


def _draw(shape: _Shape, rows: Sequence[WeightRow], limits: Sequence[LimitRow], aim: str) -> Markup:
    bottom = TOP + shape.row * len(rows)
    scale = svg.Scale(0.0, _axis_end(rows), shape.left, shape.width - shape.right)
    parts = [*_grid(scale, bottom), *(_bars(shape, scale, place, row) for place, row in enumerate(rows))]
    parts += [_labels(shape, place, row, aim) for place, row in enumerate(rows)]
    parts += [_limit(shape, scale, place, bound) for place, row in enumerate(rows) for bound in _over(row, limits)]
    frame = svg.Frame(
        f"weights-{shape.classes}",
        shape.width,
        bottom + FOOT,
        f"Weights held, after the orders, and {aim}",
        "; ".join(_told(row) for row in rows),
    )
    return svg.drawing(frame, shape.classes, parts)


def _axis_end(rows: Sequence[WeightRow]) -> float:
    largest = max(max(row.held, row.target, row.after or 0.0) for row in rows)
    return max(min(AXIS_STEP * (int(largest / AXIS_STEP + 1e-9) + 1), 1.0), 4 * AXIS_STEP, largest)


def _grid(scale: svg.Scale, bottom: float) -> list[Markup]:
    parts = []
    for tick in svg.ticks(scale.low, scale.high, 5):
        parts.append(svg.line("grid", scale.at(tick), TOP, scale.at(tick), bottom))
        anchor = "middle" if tick else "start"
        parts.append(svg.text("tick", scale.at(tick), bottom + 18, wording.percent(tick, 0), anchor))
    return parts


def _bars(shape: _Shape, scale: svg.Scale, place: int, row: WeightRow) -> Markup:
    top = TOP + place * shape.row + shape.bar_at
    parts = [svg.rect("held", scale.start, top, scale.at(row.held) - scale.start, HELD_HEIGHT)]
    if row.after is not None:
        inner = top + (HELD_HEIGHT - AFTER_HEIGHT) / 2
        parts.append(svg.rect("after", scale.start, inner, scale.at(row.after) - scale.start, AFTER_HEIGHT))
    at = scale.at(row.target)
    parts.append(svg.line("target", at, top - 4, at, top + HELD_HEIGHT + 4))
    return Markup().join(parts)


def _over(row: WeightRow, limits: Sequence[LimitRow]) -> list[float]:
    return [limit.limit for limit in limits if row.ticker in limit.applies_to]


def _limit(shape: _Shape, scale: svg.Scale, place: int, limit: float) -> Markup:
    top = TOP + place * shape.row + shape.bar_at
    return svg.line("limit", scale.at(limit), top - 4, scale.at(limit), top + HELD_HEIGHT + 4)


def _labels(shape: _Shape, place: int, row: WeightRow, aim: str) -> Markup:
    top = TOP + place * shape.row + shape.bar_at
    base = top - 8 if shape.label_above else top + 15
    start, anchor = (shape.left, "start") if shape.label_above else (shape.left - 12, "end")
    target = f"{aim} {wording.weight(row.target)}"
    label = svg.text("label", start, base, row.ticker, anchor)
    return label + svg.text("value", shape.width - 2, base, target, "end")


def _told(row: WeightRow) -> str:
    after = "" if row.after is None else f", after orders {wording.weight(row.after)}"
    name = "cash" if row.ticker == CASH else row.ticker
    return f"{name}: held {wording.weight(row.held)}{after}, target {wording.weight(row.target)}"
