"""The plan: from target weights and holdings to whole-share orders that fit the cash and keep the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.allocation.limits import breaches
from portfolio.allocation.weights import WHOLE_BP, from_bp, ordered, percent, points, quantised
from portfolio.errors import RuleRefusedError
from portfolio.findings import Finding, Severity
from portfolio.orders.heaviness import heavy_fees
from portfolio.orders.records import Order, Plan, PlanInput
from portfolio.orders.sizing import distance
from portfolio.orders.trades import Account, settled_quantities, traded, trades_to
from portfolio.orders.valuation import decimal_prices
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.allocation.limits import Limit

_NOISE = 1e-9


def plan_orders(wanted: PlanInput) -> Plan:
    """Plan whole-share orders from the holdings to the target.

    Sizes are those of an account from which the estimated fees are already paid. There are no orders on a HOLD,
    when no line is a band away from its target, or when whole shares come no closer to it; holdings that break a
    limit are traded all the same. Once there are orders, every line goes to its target: one that is held and not
    targeted is sold whole.

    Returns
    -------
    Plan
        Sells before buys, each in the universe's order; cash 0 or more; the limits hold after rounding and fees.

    Raises
    ------
    RuleRefusedError
        The target breaks a limit, a price is missing, cash is negative, or fees leave no plan that keeps the limits.

    """
    target_bp = quantised(ordered(wanted.weights, wanted.universe.tickers))
    if wanted.decision == "HOLD":
        reason = "The decision is HOLD: nothing is traded."
        return Plan(wanted.session, (), wanted.positions.cash_eur, from_bp(target_bp), reason)
    rules = wanted.limits.rules(wanted.universe.leveraged)
    _ensure_keeps(from_bp(target_bp), rules, "The target")
    account = _account(wanted, target_bp)
    broken = breaches(account.weights, rules)
    after = traded(account, settled_quantities(account, target_bp, rules))
    idle = _why_idle(account, after, from_bp(target_bp), None if broken else wanted.band)
    if idle:
        return _plan(wanted, account, (), target_bp, idle)
    _ensure_fits(after, rules)
    orders = _orders(wanted, account, after, target_bp, broken)
    heavy = heavy_fees(orders, account.value_eur, wanted.session)
    return _plan(wanted, after, orders, target_bp, None, heavy)


def _account(wanted: PlanInput, target_bp: Mapping[str, int]) -> Account:
    held = wanted.positions.quantities
    targeted = [ticker for ticker, share in target_bp.items() if share and ticker != CASH]
    prices = decimal_prices(wanted.prices, dict.fromkeys((*targeted, *held)))
    if wanted.positions.cash_eur < 0:
        message = f"Cash is {wanted.positions.cash_eur} EUR: it is never below 0. Mend the ledger and plan again."
        raise RuleRefusedError(message)
    in_order = {ticker: held[ticker] for ticker in target_bp if ticker in held}
    return Account(wanted.positions.cash_eur, in_order | held, prices, wanted.fees)


def _why_idle(account: Account, after: Account, target: Mapping[str, float], band: float | None) -> str | None:
    """Say why nothing is traded; `band` None: a limit is broken, so neither band nor closeness is asked."""
    held = account.weights
    if account.value_eur == 0:
        return "The account is empty: book a deposit first."
    line, difference = _largest_difference(held, target)
    if band is not None and difference < band - _NOISE:
        return (
            f"No line is {points(band)} or more away from its target (the largest difference is "
            f"{points(difference)} on {line}): nothing is traded."
        )
    unchanged = after.quantities == account.quantities
    if unchanged or (band is not None and distance(after.weights, target) >= distance(held, target) - _NOISE):
        return "Whole shares come no closer to the target than what is held: nothing is traded."
    return None


def _largest_difference(held: Mapping[str, float], target: Mapping[str, float]) -> tuple[str, float]:
    differences = {t: abs(held.get(t, 0.0) - target.get(t, 0.0)) for t in {**target, **held} if t != CASH}
    line = max(differences, key=lambda ticker: differences[ticker])
    return line, differences[line]


def _orders(
    wanted: PlanInput, account: Account, after: Account, target_bp: Mapping[str, int], broken: Mapping[str, str]
) -> tuple[Order, ...]:
    held, target = account.weights, from_bp(target_bp)
    restores = f"; restores {', '.join(broken)}" if broken else ""
    return tuple(
        Order(
            ticker=trade.ticker,
            isin=wanted.universe.instrument(trade.ticker).isin,
            side=trade.side,
            quantity=trade.quantity,
            price_eur=trade.price_eur,
            amount_eur=trade.amount_eur,
            fee_eur=trade.fee_eur,
            reason=f"target {percent(target.get(trade.ticker, 0.0))}, held {percent(held.get(trade.ticker, 0.0))}"
            f"{restores if trade.side == 'SELL' else ''}",
        )
        for trade in trades_to(account, after.quantities)
    )


def _plan(
    wanted: PlanInput,
    after: Account,
    orders: tuple[Order, ...],
    target_bp: Mapping[str, int],
    suppressed: str | None,
    heavy: tuple[Finding, ...] = (),
) -> Plan:
    rules = wanted.limits.rules(wanted.universe.leveraged)
    weights = ordered(after.weights, wanted.universe.tickers)
    return Plan(
        session=wanted.session,
        orders=orders,
        cash_after_eur=after.cash_eur,
        weights_after=from_bp(quantised(weights, lambda rounded: not breaches(rounded, rules))),
        suppressed=suppressed,
        findings=(*heavy, *_too_dear(wanted, after, target_bp)),
        value_after_eur=after.value_eur,
    )


def _too_dear(wanted: PlanInput, after: Account, target_bp: Mapping[str, int]) -> tuple[Finding, ...]:
    """Report targeted lines of which the account can't hold a single share."""
    findings = []
    for ticker, share in target_bp.items():
        budget = after.value_eur * share / WHOLE_BP
        if ticker == CASH or not share or ticker in after.quantities or after.prices[ticker] <= budget:
            continue
        message = (
            f"{ticker} is not held: one share costs {after.prices[ticker]:.2f} EUR and its target of "
            f"{percent(share / WHOLE_BP)} is {budget:.2f} EUR. What whole shares cannot hold stays in {CASH}."
        )
        findings.append(
            Finding(Severity.INFO, "share-dearer-than-target", ticker, message, wanted.session, f"{budget:.2f}")
        )
    return tuple(findings)


def _ensure_keeps(weights: Mapping[str, float], rules: tuple[Limit, ...], what: str) -> None:
    for name, breach in breaches(weights, rules).items():
        message = f"{what} breaks the limit {name}: {breach}. Nothing is proposed; decide again under today's limits."
        raise RuleRefusedError(message)


def _ensure_fits(after: Account, rules: tuple[Limit, ...]) -> None:
    if after.cash_eur < 0:
        message = (
            f"Fees would leave {after.cash_eur} EUR of cash, which is never below 0. Nothing is proposed: lower "
            "the fee schedule's minimum or deposit cash."
        )
        raise RuleRefusedError(message)
    _ensure_keeps(after.weights, rules, "The plan after rounding and fees")
