"""The records of a plan: what it depends on, each order, and the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from portfolio.allocation.limits import Limits
    from portfolio.findings import Finding
    from portfolio.ledger.positions import Positions
    from portfolio.orders.fees import FeeSchedule
    from portfolio.universe import Universe

Side = Literal["BUY", "SELL"]


@dataclass(frozen=True, slots=True)
class PlanInput:
    """All that a plan may depend on: a decision, what is held, last closes (EUR per share), the rules."""

    session: date
    decision: Literal["TARGET", "HOLD"]
    weights: Mapping[str, float]
    positions: Positions
    prices: Mapping[str, float]
    universe: Universe
    limits: Limits
    fees: FeeSchedule
    band: float


@dataclass(frozen=True, slots=True)
class Order:
    """A proposal at the last close: `amount_eur` is quantity x price to the cent, a buy's rounded up, a sell's down.

    `fee_eur` is an estimate.
    """

    ticker: str
    isin: str
    side: Side
    quantity: int
    price_eur: Decimal
    amount_eur: Decimal
    fee_eur: Decimal
    reason: str

    def as_dict(self) -> dict[str, str | int | float]:
        """Plain values for JSON."""
        return {
            "ticker": self.ticker,
            "isin": self.isin,
            "side": self.side,
            "quantity": self.quantity,
            "price_eur": float(self.price_eur),
            "amount_eur": float(self.amount_eur),
            "fee_eur": float(self.fee_eur),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The orders of a session, sells first, and the account once they are filled at the estimated prices.

    `weights_after` are multiples of 0.0001 that sum to 1 in basis points; `suppressed` says why there are no
    orders (None when there are some); `value_after_eur` is None on a HOLD, when nothing is valued.
    """

    session: date
    orders: tuple[Order, ...]
    cash_after_eur: Decimal
    weights_after: dict[str, float]
    suppressed: str | None = None
    findings: tuple[Finding, ...] = ()
    value_after_eur: Decimal | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "session": self.session.isoformat(),
            "orders": [order.as_dict() for order in self.orders],
            "cash_after_eur": float(self.cash_after_eur),
            "weights_after": self.weights_after,
        }
