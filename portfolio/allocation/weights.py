"""Weights: fractions of the account by ticker, CASH included, counted in whole basis points where seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

WHOLE_BP = 10_000  # 1 bp = 0.01 % of the account
SUM_TOLERANCE = 1e-6  # what float arithmetic over a few dozen lines can lose, with room
_NOISE_BP = 1e-6  # 0.28 * 10 000 is 2800.0000000000005 or 2799.9999999999995: both mean 2800


def ordered(weights: Mapping[str, float], tickers: Iterable[str]) -> dict[str, float]:
    """Arrange weights: the universe's tickers in its order (0 when absent), then any other line held, then CASH."""
    known = [ticker for ticker in tickers if ticker != CASH]
    others = sorted(ticker for ticker, weight in weights.items() if weight and ticker not in {*known, CASH})
    return {ticker: float(weights.get(ticker, 0.0)) for ticker in (*known, *others, CASH)}


def all_cash(tickers: Iterable[str]) -> dict[str, float]:
    """Weights of an account that holds nothing but cash."""
    return ordered({CASH: 1.0}, tickers)


def quantised(
    weights: Mapping[str, float], keeps_limits: Callable[[Mapping[str, float]], bool] | None = None
) -> dict[str, int]:
    """Count weights in whole basis points that sum to exactly 10 000 (largest remainder).

    Every line is first rounded down, CASH being what is left; then the missing points go to the largest
    remainders, ties to CASH and then to the earlier line. A line whose point would break a limit is passed
    over and its point stays in CASH: weights that keep the limits keep them after rounding.

    Parameters
    ----------
    weights
        Fraction of the account by ticker, CASH included or 0; finite, not negative, sum 1 within 1e-6.
    keeps_limits
        Tells whether weights (fractions) keep every limit; None when no limit applies.

    Returns
    -------
    dict
        Basis points by ticker in the order given, CASH last.

    Raises
    ------
    ValueError
        A weight is NaN, infinite or negative, or the sum is not 1.

    Notes
    -----
    Source: Hamilton's method of apportionment (M. Balinski and H. Young, Fair Representation, 1982).

    """
    _ensure_weights(weights)
    exact = {ticker: weight * WHOLE_BP for ticker, weight in weights.items() if ticker != CASH}
    in_bp = {ticker: math.floor(value + _NOISE_BP) for ticker, value in exact.items()}
    exact_cash = weights.get(CASH, 0.0) * WHOLE_BP
    missing = WHOLE_BP - sum(in_bp.values()) - math.floor(exact_cash + _NOISE_BP)
    remainders = {CASH: exact_cash - math.floor(exact_cash + _NOISE_BP)}
    remainders |= {ticker: value - in_bp[ticker] for ticker, value in exact.items()}
    by_remainder = sorted(remainders, key=lambda ticker: -round(remainders[ticker], 6))  # stable: CASH wins ties
    for ticker in by_remainder[:missing]:
        if ticker == CASH:
            continue
        raised = in_bp | {ticker: in_bp[ticker] + 1}
        if keeps_limits is None or keeps_limits(from_bp(_with_cash(raised))):
            in_bp = raised
    return _with_cash(in_bp)


def from_bp(in_bp: Mapping[str, int]) -> dict[str, float]:
    """Turn basis points into fractions, each the float nearest to a multiple of 0.0001."""
    return {ticker: value / WHOLE_BP for ticker, value in in_bp.items()}


def percent(weight: float) -> str:
    """Show a fraction for a reader: 28.0 %, or 28.37 % where the second decimal says something."""
    in_bp = round(weight * WHOLE_BP)
    return f"{in_bp / 100:.1f} %" if in_bp % 10 == 0 else f"{in_bp / 100:.2f} %"


def points(difference: float) -> str:
    """Show a difference of two weights for a reader: 2.5 points."""
    return f"{round(100 * difference, 2):g} points"


def _with_cash(lines: Mapping[str, int]) -> dict[str, int]:
    return {**lines, CASH: WHOLE_BP - sum(lines.values())}


def _ensure_weights(weights: Mapping[str, float]) -> None:
    for ticker, weight in weights.items():
        if not math.isfinite(weight) or weight < 0:
            message = f"The weight of {ticker} is {weight}: a weight is a finite fraction, 0 or more."
            raise ValueError(message)
    total = math.fsum(weights.values())
    if abs(total - 1) > SUM_TOLERANCE:
        message = f"The weights sum to {total:.9f}: they must sum to 1, {CASH} included."
        raise ValueError(message)
