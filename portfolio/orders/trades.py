"""From quantities to money: what trading from one set of quantities to another pays and costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from portfolio.orders.fees import CENT
from portfolio.orders.sizing import lines_eur, weights_of, whole_shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.allocation.limits import Limit
    from portfolio.orders.fees import FeeSchedule
    from portfolio.orders.records import Side


@dataclass(frozen=True, slots=True)
class Account:
    """Cash (EUR) and quantities, exact prices of every line held or targeted, and the fees of trading."""

    cash_eur: Decimal
    quantities: Mapping[str, int]
    prices: Mapping[str, Decimal]
    fees: FeeSchedule

    @property
    def value_eur(self) -> Decimal:
        """Cash and lines together, exact."""
        return self.cash_eur + sum(lines_eur(self.quantities, self.prices).values())

    @property
    def weights(self) -> dict[str, float]:
        """Fractions by line held, and CASH."""
        return weights_of(self.quantities, self.value_eur, self.prices)


@dataclass(frozen=True, slots=True)
class Trade:
    """A whole quantity at a price; a buy's amount is rounded up to the cent, a sell's down: never flattering."""

    ticker: str
    side: Side
    quantity: int
    price_eur: Decimal
    amount_eur: Decimal
    fee_eur: Decimal

    @property
    def cash_flow_eur(self) -> Decimal:
        """What the trade adds to cash, its fee included; negative for a buy."""
        return (self.amount_eur if self.side == "SELL" else -self.amount_eur) - self.fee_eur


def trades_to(account: Account, quantities: Mapping[str, int]) -> tuple[Trade, ...]:
    """List the trades from what the account holds to the quantities: sells, then buys, each in the order given.

    A line held that is not among the quantities is sold whole.
    """
    tickers = dict.fromkeys((*quantities, *account.quantities))
    changes = {ticker: quantities.get(ticker, 0) - account.quantities.get(ticker, 0) for ticker in tickers}
    sells = [_trade(account, ticker, "SELL", -change) for ticker, change in changes.items() if change < 0]
    buys = [_trade(account, ticker, "BUY", change) for ticker, change in changes.items() if change > 0]
    return (*sells, *buys)


def traded(account: Account, quantities: Mapping[str, int]) -> Account:
    """Return the account once it has traded to the quantities and paid the fees."""
    cash = account.cash_eur + sum(trade.cash_flow_eur for trade in trades_to(account, quantities))
    return Account(cash, {t: quantity for t, quantity in quantities.items() if quantity}, account.prices, account.fees)


def settled_quantities(account: Account, target_bp: Mapping[str, int], rules: tuple[Limit, ...]) -> dict[str, int]:
    """Return whole quantities sized on what the account is worth after the fees of trading to them.

    Sizes for a value V are good when trading to them leaves V or more: what is more is cash, and lines only
    weigh less. V falls from round to round until that is so. It ends, because fees are bounded; in practice after
    two or three rounds, because fees change by a small part of what V does.
    """
    value = account.value_eur
    while True:
        quantities = whole_shares(target_bp, value, account.prices, rules)
        left = traded(account, quantities).value_eur
        if left >= value:
            return quantities
        value = left


def _trade(account: Account, ticker: str, side: Side, quantity: int) -> Trade:
    price = account.prices[ticker]
    amount = (quantity * price).quantize(CENT, ROUND_CEILING if side == "BUY" else ROUND_FLOOR)
    return Trade(ticker, side, quantity, price, amount, account.fees.fee(amount))
