"""Fees weighed against what they pay for: heavy ones are told, the person decides."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from portfolio.allocation.weights import percent
from portfolio.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from portfolio.orders.records import Order

FEE_HEAVY = "fee-heavy"
# Four times what the law lets a PEA charge for an online order: only a minimum fee on a small order gets there.
MAX_OF_ORDER = Decimal("0.02")
# As much as a cheap fund charges in two years or more, paid in one session.
MAX_OF_ACCOUNT = Decimal("0.01")


def heavy_fees(orders: Iterable[Order], value_eur: Decimal, session: date) -> tuple[Finding, ...]:
    """Return a WARNING for each order whose fee weighs more than 2 % of it, and one when all exceed 1 % of the account.

    Parameters
    ----------
    orders
        The orders of the session.
    value_eur
        What the account is worth before them, EUR.
    session
        The day they are for.

    Returns
    -------
    tuple of Finding
        Rule `fee-heavy`; subject the ticker, or "" for all together; value the fee or fees, EUR.

    """
    placed = tuple(orders)
    fees = sum((order.fee_eur for order in placed), Decimal(0))
    found = [_heavy_order(order, session) for order in placed if order.fee_eur > MAX_OF_ORDER * order.amount_eur]
    if fees > MAX_OF_ACCOUNT * value_eur:
        found.append(_heavy_session(fees, value_eur, session))
    return tuple(found)


def _heavy_order(order: Order, session: date) -> Finding:
    message = (
        f"The fee of {order.side} {order.quantity} {order.ticker}, {order.fee_eur} EUR, is "
        f"{percent(float(order.fee_eur / order.amount_eur))} of its {order.amount_eur} EUR (more than "
        f"{percent(float(MAX_OF_ORDER))} is heavy): check PORTFOLIO_FEE_RATE and PORTFOLIO_FEE_MINIMUM_EUR against "
        "your broker's prices, and ask whether the order is worth it today."
    )
    return Finding(Severity.WARNING, FEE_HEAVY, order.ticker, message, session, str(order.fee_eur))


def _heavy_session(fees: Decimal, value_eur: Decimal, session: date) -> Finding:
    message = (
        f"All fees together, {fees} EUR, are {percent(float(fees / value_eur))} of the account's {value_eur:.2f} EUR "
        f"(more than {percent(float(MAX_OF_ACCOUNT))} is heavy): a wider PORTFOLIO_BAND trades less often, and a "
        "larger account or a broker with smaller fees pays less."
    )
    return Finding(Severity.WARNING, FEE_HEAVY, "", message, session, str(fees))
