"""What the account is worth at given prices: here float estimates become Decimal money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from portfolio.errors import RuleRefusedError
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portfolio.ledger.positions import Positions

PRICE_STEP = Decimal("0.0001")  # the finest tick of an ETF on Euronext Paris
MAX_PRICE = 1e9  # EUR; beyond it, floats no longer carry the step


@dataclass(frozen=True, slots=True)
class Valuation:
    """The account at given prices: EUR in all, EUR by line, and weights (fractions, CASH included, sum 1)."""

    total_eur: Decimal
    lines_eur: dict[str, Decimal]
    weights: dict[str, float]


def decimal_prices(prices: Mapping[str, float], tickers: Iterable[str]) -> dict[str, Decimal]:
    """Turn the prices (EUR per share) of the tickers into Decimals of four places.

    Raises RuleRefusedError when one is missing, NaN, infinite or not above 0: nothing is valued on a guess.
    """
    return {ticker: _decimal_price(ticker, prices.get(ticker)) for ticker in tickers}


def value_positions(positions: Positions, prices: Mapping[str, float]) -> Valuation:
    """Value cash and lines at the given prices.

    Parameters
    ----------
    positions
        What the account holds.
    prices
        EUR per share by ticker, finite and above 0, of every line held at least; others are not looked at.

    Returns
    -------
    Valuation
        Exact to the price's fourth decimal; an account worth nothing weighs 1 in CASH.

    Raises
    ------
    RuleRefusedError
        A held line has no usable price.

    """
    exact = decimal_prices(prices, positions.quantities)
    lines = {ticker: quantity * exact[ticker] for ticker, quantity in positions.quantities.items()}
    total = positions.cash_eur + sum(lines.values())
    return Valuation(total, lines, fractions(lines, positions.cash_eur))


def fractions(lines_eur: Mapping[str, Decimal], cash_eur: Decimal) -> dict[str, float]:
    """Return the weights of lines and cash; CASH 1 when all is worth nothing."""
    total = cash_eur + sum(lines_eur.values())
    if total <= 0:
        return {**dict.fromkeys(lines_eur, 0.0), CASH: 1.0}
    return {**{ticker: float(value / total) for ticker, value in lines_eur.items()}, CASH: float(cash_eur / total)}


def _decimal_price(ticker: str, price: float | None) -> Decimal:
    if price is None or not math.isfinite(price) or not 0 < price <= MAX_PRICE:
        message = (
            f"{ticker} has no usable price (seen {price}): a line that is held or targeted needs one, finite and "
            "above 0. Update the prices and run again."
        )
        raise RuleRefusedError(message)
    exact = Decimal(str(float(price))).quantize(PRICE_STEP, ROUND_HALF_EVEN)
    return max(exact, PRICE_STEP)
