"""Small pieces of SVG: scales, ticks, paths, text. Colours are classes that page.css paints in light and dark.

Own functions instead of a plotting library: the text stays text, follows the page's colours, and a page
costs milliseconds and tens of kilobytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight or logarithmic map from data to the drawing's units."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Map one value."""
        return float(self.places(np.array([value]))[0])

    def places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map values; NaN stays NaN."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        known = np.log(values) if self.log else values
        return self.start + (known - low) / (high - low) * (self.end - self.start)


def round_step(span: float, wanted: int) -> float:
    """Return the step 1, 2 or 5 times a power of ten that cuts a span into about `wanted` parts."""
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round values inside [low, high]."""
    step = round_step(high - low, wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def log_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round values inside [low, high] for a log axis: 1-2-5 steps when they are enough."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [value for value in values if low <= value <= high]
    return inside if len(inside) >= wanted - 1 else ticks(low, high, wanted)


def number(value: float) -> str:
    """Write a coordinate: a tenth of a unit is finer than a screen shows."""
    return f"{value:.1f}".removesuffix(".0")


def line_path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Return a path through the points, interrupted where y is NaN."""
    commands, pen_down = [], False
    for across, down in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(down):
            pen_down = False
            continue
        commands.append(f"{'L' if pen_down else 'M'}{number(across)} {number(down)}")
        pen_down = True
    return "".join(commands)


def band_path(x: NDArray[np.float64], upper: NDArray[np.float64], lower: NDArray[np.float64]) -> str:
    """Return the closed area between two lines, over the points where both are known."""
    known = ~(np.isnan(upper) | np.isnan(lower))
    if not known.any():
        return ""
    there = line_path(x[known], upper[known])
    back = line_path(x[known][::-1], lower[known][::-1])
    return f"{there}L{back[1:]}Z"


def path(classes: str, commands: str) -> Markup:
    """Draw a path."""
    return Markup('<path class="{}" d="{}"/>').format(classes, commands) if commands else Markup()


def line(classes: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Draw a straight line."""
    return path(classes, f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")


def rect(classes: str, x: float, y: float, width: float, height: float) -> Markup:
    """Draw a rectangle; a negative width counts as none."""
    places = [number(place) for place in (x, y, max(width, 0.0), height)]
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(classes, *places)


def text(classes: str, x: float, y: float, content: str, anchor: str = "start") -> Markup:
    """Write text; the content is escaped."""
    markup = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
    return markup.format(classes, number(x), number(y), anchor, content)


def dot(classes: str, x: float, y: float) -> Markup:
    """Mark a point."""
    return Markup('<circle class="{}" cx="{}" cy="{}" r="3.2"/>').format(classes, number(x), number(y))


@dataclass(frozen=True, slots=True)
class Frame:
    """The drawing's name on the page (unique), its size, and what a reader who cannot see it is told."""

    name: str
    width: float
    height: float
    title: str
    description: str


def drawing(frame: Frame, classes: str, parts: Iterable[Markup]) -> Markup:
    """Close the parts into one accessible drawing."""
    return Markup(
        '<svg class="{classes}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>{body}</svg>'
    ).format(
        classes=classes,
        width=number(frame.width),
        height=number(frame.height),
        name=frame.name,
        title=frame.title,
        description=frame.description,
        body=Markup().join(parts),
    )
