"""Whole shares: the quantities that come close to target weights without breaking a limit."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from portfolio.allocation.limits import breaches
from portfolio.allocation.weights import WHOLE_BP, from_bp
from portfolio.orders.valuation import fractions
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.allocation.limits import Limit

NOTHING = Decimal(0)
_NOISE = 1e-12  # of a sum of a dozen fractions


def whole_shares(
    target_bp: Mapping[str, int], value_eur: Decimal, prices: Mapping[str, Decimal], rules: tuple[Limit, ...]
) -> dict[str, int]:
    """Return whole quantities of an account worth `value_eur` that come close to the target and keep the limits.

    Each line is rounded down, which keeps every limit that the target keeps. Then each line may get one share
    more, largest shortfall in EUR first (ties: the earlier line), if the share can be paid, brings lines and cash
    together closer to the target, and breaks no limit. So a line ends less than one share from its target.

    Parameters
    ----------
    target_bp
        Basis points by ticker, CASH included, sum 10 000; must keep the limits.
    value_eur
        Value of lines and cash together once all is traded and paid; 0 or less gives no shares.
    prices
        EUR per share of every ticker targeted, above 0.
    rules
        The limits.

    Returns
    -------
    dict
        Shares by ticker of the target, 0 included, CASH excluded.

    """
    target, value = from_bp(target_bp), max(value_eur, NOTHING)
    wanted = {ticker: value * points / WHOLE_BP for ticker, points in target_bp.items() if ticker != CASH}
    quantities = {ticker: int(euros // prices[ticker]) if euros else 0 for ticker, euros in wanted.items()}
    shortfall = {ticker: euros - quantities[ticker] * prices[ticker] for ticker, euros in wanted.items() if euros}
    reached = distance(weights_of(quantities, value, prices), target)
    for ticker in sorted(shortfall, key=lambda ticker: -shortfall[ticker]):
        more = quantities | {ticker: quantities[ticker] + 1}
        weights = weights_of(more, value, prices)
        closer = distance(weights, target) < reached - _NOISE
        if weights[CASH] >= 0 and closer and not breaches(weights, rules):
            quantities, reached = more, distance(weights, target)
    return quantities


def distance(weights: Mapping[str, float], target: Mapping[str, float]) -> float:
    """Sum the absolute differences (fractions) of lines and CASH to the target; 0 when equal, 2 at most."""
    return math.fsum(abs(weights.get(t, 0.0) - target.get(t, 0.0)) for t in dict.fromkeys((*weights, *target)))


def lines_eur(quantities: Mapping[str, int], prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Value (EUR, exact) of each line that has shares."""
    return {ticker: quantity * prices[ticker] for ticker, quantity in quantities.items() if quantity}


def weights_of(quantities: Mapping[str, int], value_eur: Decimal, prices: Mapping[str, Decimal]) -> dict[str, float]:
    """Weights of an account worth `value_eur` of which the lines are a part and cash the rest."""
    lines = lines_eur(quantities, prices)
    return fractions(lines, value_eur - sum(lines.values()))
