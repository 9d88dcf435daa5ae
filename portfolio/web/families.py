"""Metric families from plain rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = tuple[tuple[str, ...], float]


def gauge(name: str, meaning: str, labels: tuple[str, ...], rows: Iterable[Row]) -> GaugeMetricFamily:
    """Return a family with one sample a row: its labels' values, and its value."""
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def single(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    """Return a family of one sample, or of none when its value is not known."""
    return gauge(name, meaning, (), [] if value is None else [((), float(value))])


def states(of: tuple[str, ...], every: Iterable[str], current: str | None) -> list[Row]:
    """Return a row a state, 1 for the current one and 0 for the others; so that an alert can name the state."""
    return [((*of, state), float(state == current)) for state in every]


def midnight(day: date) -> float:
    """Return a day as seconds since 1970, its midnight in UTC."""
    return datetime.combine(day, time(), UTC).timestamp()
