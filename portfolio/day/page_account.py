"""The page's account and orders: what is held now, and the plan as it was logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portfolio.findings import Finding, Severity
from portfolio.report.data import AccountPart, OrderRow, OrdersPart, PositionRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.account import Account
    from portfolio.day.signal import Replay

CENT = 0.01


def orders_part(again: Replay, account: Account, plan: dict[str, Any] | None) -> OrdersPart:
    """Show a logged plan; the cash before it is what it counted on, and a ledger that has other cash is told."""
    cash = float(account.positions.cash_eur)
    if plan is None:
        return OrdersPart(cash_before_eur=cash, why_none="No orders were planned for this session yet.")
    names = {item.ticker: item.name for item in again.terms.universe.instruments}
    orders = tuple(_order_row(order, names) for order in plan["orders"])
    after = plan["cash_after_eur"]
    before = cash if after is None else round(after - sum(order.cash_effect_eur for order in orders), 2)
    findings = tuple(Finding.from_dict(item) for item in plan["findings"])
    return OrdersPart(
        orders=orders,
        cash_before_eur=before,
        cash_after_eur=after,
        weights_after=plan["weights_after"],
        why_none=plan["why"] or "",
        refused=plan["weights_after"] is None,
        findings=(*_outdated(again, before, cash), *findings),
    )


def account_part(again: Replay, account: Account) -> AccountPart:
    """Show what is held; a line without any known close stands at its cost and has no gain."""
    names = {item.ticker: item.name for item in again.terms.universe.instruments}
    positions, valuation = account.positions, account.valuation
    priced = again.known.last_closes(positions.quantities)
    rows = tuple(
        PositionRow(
            ticker=ticker,
            name=names.get(ticker, ticker),
            quantity=quantity,
            price_eur=account.prices[ticker],
            value_eur=float(valuation.lines_eur[ticker]),
            weight=valuation.weights[ticker],
            cost_eur=float(positions.cost_eur[ticker]),
            gain_eur=float(valuation.lines_eur[ticker] - positions.cost_eur[ticker]) if ticker in priced else None,
            at_cost=ticker not in priced,
        )
        for ticker, quantity in positions.quantities.items()
    )
    return AccountPart(
        rows=rows,
        cash_eur=float(positions.cash_eur),
        total_eur=float(valuation.total_eur),
        weights=valuation.weights,
        ledger_empty=account.entries == 0,
    )


def _order_row(order: Mapping[str, Any], names: Mapping[str, str]) -> OrderRow:
    return OrderRow(
        ticker=order["ticker"],
        name=names[order["ticker"]],
        isin=order["isin"],
        side="sell" if order["side"] == "SELL" else "buy",
        quantity=order["quantity"],
        price_eur=order["price_eur"],
        amount_eur=order["amount_eur"],
        fee_eur=order["fee_eur"],
        reason=order["reason"],
    )


def _outdated(again: Replay, before: float, cash: float) -> tuple[Finding, ...]:
    if abs(before - cash) < CENT / 2:
        return ()
    message = (
        f"These orders counted on {before:.2f} EUR of cash and the ledger has {cash:.2f} EUR: it has changed since. "
        "Run `portfolio orders`, then `portfolio report`."
    )
    return (Finding(Severity.WARNING, "plan-outdated", "", message, again.row.session, f"{cash:.2f}"),)
