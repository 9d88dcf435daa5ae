"""The hard risk limits: each says what it cuts from a target and whether given weights break it.

A limit only ever lowers lines and gives what it cut to CASH, which no limit caps. So limits that were applied
earlier still hold after a later one, and one pass in the order of `Limits.rules` (single position, leveraged
together, cash) keeps them all. For the same reason any three values within [0, 1] can hold together: 100 % CASH
keeps them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Protocol

from portfolio.allocation.weights import percent
from portfolio.errors import SettingsError
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOLERANCE = 1e-9  # float noise of a sum of weights; a breach that matters is at least a basis point


class Limit(Protocol):
    """One hard limit."""

    name: ClassVar[str]

    def bind(self, weights: Mapping[str, float]) -> tuple[dict[str, float], str | None]:
        """Return weights that keep the limit, and what was cut (None when nothing was)."""

    def breach(self, weights: Mapping[str, float]) -> str | None:
        """Say how the weights break the limit, None when they keep it."""


@dataclass(frozen=True, slots=True)
class MaxSinglePosition:
    """No line above `cap`; CASH is exempt."""

    name: ClassVar[str] = "max-single-position"
    cap: float

    def bind(self, weights: Mapping[str, float]) -> tuple[dict[str, float], str | None]:
        """Cut each line above the cap down to it."""
        over = self._over(weights)
        if not over:
            return dict(weights), None
        cuts = ", ".join(f"{ticker} from {percent(weight)}" for ticker, weight in over.items())
        return _cut(weights, dict.fromkeys(over, self.cap)), f"{cuts} cut to {percent(self.cap)}, the rest to {CASH}"

    def breach(self, weights: Mapping[str, float]) -> str | None:
        """Name the lines above the cap."""
        over = self._over(weights)
        lines = ", ".join(f"{ticker} is {percent(weight)}" for ticker, weight in over.items())
        return f"{lines}, one position may be {percent(self.cap)} at most" if over else None

    def _over(self, weights: Mapping[str, float]) -> dict[str, float]:
        return {t: weight for t, weight in weights.items() if t != CASH and weight > self.cap + TOLERANCE}


@dataclass(frozen=True, slots=True)
class MaxLeveraged:
    """Leveraged ETFs together no more than `cap`; they are cut in proportion."""

    name: ClassVar[str] = "max-leveraged"
    cap: float
    leveraged: frozenset[str]

    def bind(self, weights: Mapping[str, float]) -> tuple[dict[str, float], str | None]:
        """Scale the leveraged lines down to the cap."""
        total = self._total(weights)
        if total <= self.cap + TOLERANCE:
            return dict(weights), None
        scaled = {t: weight * self.cap / total for t, weight in weights.items() if t in self.leveraged}
        message = f"leveraged ETFs together from {percent(total)} cut to {percent(self.cap)}, the rest to {CASH}"
        return _cut(weights, scaled), message

    def breach(self, weights: Mapping[str, float]) -> str | None:
        """Give the sum of the leveraged lines when it is above the cap."""
        total = self._total(weights)
        if total <= self.cap + TOLERANCE:
            return None
        return f"leveraged ETFs together are {percent(total)}, they may be {percent(self.cap)} at most"

    def _total(self, weights: Mapping[str, float]) -> float:
        return math.fsum(weight for ticker, weight in weights.items() if ticker in self.leveraged)


@dataclass(frozen=True, slots=True)
class MinCash:
    """CASH no less than `floor`; all lines are cut in proportion."""

    name: ClassVar[str] = "min-cash"
    floor: float

    def bind(self, weights: Mapping[str, float]) -> tuple[dict[str, float], str | None]:
        """Scale every line down until CASH reaches the floor."""
        cash = weights.get(CASH, 0.0)
        if cash >= self.floor - TOLERANCE:
            return dict(weights), None
        lines = {ticker: weight for ticker, weight in weights.items() if ticker != CASH}
        scale = (1 - self.floor) / math.fsum(lines.values())
        message = f"{CASH} raised from {percent(cash)} to {percent(self.floor)}, every line cut in proportion"
        return _cut(weights, {ticker: weight * scale for ticker, weight in lines.items()}), message

    def breach(self, weights: Mapping[str, float]) -> str | None:
        """Give CASH when it is below the floor."""
        cash = weights.get(CASH, 0.0)
        if cash >= self.floor - TOLERANCE:
            return None
        return f"{CASH} is {percent(cash)}, it must be {percent(self.floor)} at least"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits' values, as fractions of the account. Raises SettingsError when a value is not in [0, 1]."""

    max_single_position: float = 0.40
    max_leveraged: float = 0.30
    min_cash: float = 0.10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1):
                message = (
                    f"The limit {field.name} is {value!r}: a limit is a fraction from 0 to 1. "
                    f"Write 0.4 for 40 % and start again."
                )
                raise SettingsError(message)

    def rules(self, leveraged: frozenset[str]) -> tuple[Limit, ...]:
        """Return the limits in their order of application."""
        return (
            MaxSinglePosition(self.max_single_position),
            MaxLeveraged(self.max_leveraged, leveraged),
            MinCash(self.min_cash),
        )


def bind_limits(weights: Mapping[str, float], rules: Iterable[Limit]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Apply the limits in order; return weights that keep them all and "name: what was cut" of each that bound."""
    bound = []
    result = dict(weights)
    for rule in rules:
        result, cut = rule.bind(result)
        if cut:
            bound.append(f"{rule.name}: {cut}")
    return result, tuple(bound)


def breaches(weights: Mapping[str, float], rules: Iterable[Limit]) -> dict[str, str]:
    """Return, by the limit's name, how the weights break it; empty when all limits hold."""
    found = {rule.name: rule.breach(weights) for rule in rules}
    return {name: message for name, message in found.items() if message}


def _cut(weights: Mapping[str, float], lowered: Mapping[str, float]) -> dict[str, float]:
    lines = {ticker: lowered.get(ticker, weight) for ticker, weight in weights.items() if ticker != CASH}
    return {**lines, CASH: max(0.0, 1 - math.fsum(lines.values()))}
