"""The orders stage: the session's logged target and the ledger in, a logged plan out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from portfolio.day.answer import as_logged, canonical
from portfolio.day.decision import Standing, of_account, trade_blocked, view_of
from portfolio.day.terms import fees_of, terms_of
from portfolio.errors import RuleRefusedError
from portfolio.orders.plan import plan_orders
from portfolio.orders.records import Plan, PlanInput
from portfolio.store.journal import append_findings
from portfolio.store.orders import OrdersRow, append_orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.account import Account
    from portfolio.day.known import KnownData
    from portfolio.day.run import Run
    from portfolio.store.connection import Store
    from portfolio.store.signals import SignalRow


@dataclass(frozen=True, slots=True)
class Orders:
    """A session's plan, or why a limit refused it (then `plan` is None and nothing may be traded).

    `held_back` says why a decided target is not traded after all: something was learnt since. `account` is what it
    starts from.
    """

    plan: Plan | None
    account: Account
    refusal: str = ""
    held_back: str = ""

    def document(self, session: str) -> dict[str, Any]:
        """Write the plan as plain JSON values."""
        account = account_document(self.account)
        if self.plan is None:
            plan = {"session": session, "orders": [], "cash_after_eur": None, "weights_after": None}
            return plan | {"account": account, "findings": [], "why": self.refusal}
        findings = [finding.as_dict() for finding in self.plan.findings]
        why = self.held_back or self.plan.suppressed
        return self.plan.as_dict() | {"account": account, "findings": findings, "why": why}


def account_document(account: Account) -> dict[str, Any]:
    """Write what an account is worth, and how many ledger entries say so, as plain JSON values."""
    newest = account.positions.last_on
    return {
        "value_eur": float(account.valuation.total_eur),
        "cash_eur": float(account.positions.cash_eur),
        "ledger_entries": account.entries,
        "newest_entry": newest.isoformat() if newest else None,
    }


def plan_session(run: Run, answer: Mapping[str, Any], account: Account, held_back: str = "") -> Orders:
    """Plan the orders of a decided session from what the account holds; a plan that breaks a limit is refused."""
    terms = terms_of(run.settings, run.universe)
    wanted = PlanInput(
        session=date.fromisoformat(answer["session"]),
        decision="HOLD" if held_back else answer["decision"],
        weights=account.valuation.weights if held_back else answer["weights"],
        positions=account.positions,
        prices=account.prices,
        universe=run.universe,
        limits=terms.limits,
        fees=fees_of(run.settings),
        band=run.settings.band,
    )
    try:
        return Orders(plan_orders(wanted), account, held_back=held_back)
    except RuleRefusedError as error:
        return Orders(None, account, str(error))


def why_held_back(run: Run, row: SignalRow, answer: Mapping[str, Any], known: KnownData, account: Account) -> str:
    """Say why a decision taken earlier must not be traded now; empty when it may.

    The account may hold other lines than when it was decided, and a session may have closed since.
    """
    if row.as_of != run.moment.as_of:
        return (
            f"The decision for {row.session} knew the closes up to {row.as_of}, and {run.moment.as_of} has closed "
            "since: run `portfolio signal` again."
        )
    terms = terms_of(run.settings, run.universe)
    view = view_of(known, terms, run.moment)
    standing = Standing(None, account.valuation.weights, account.findings)
    view = replace(view, findings=(*view.findings, *of_account(standing, terms)))
    blocked = trade_blocked(view, terms, answer["weights"], account.valuation.weights)
    return " ".join(finding.message for finding in blocked)


def log_orders(store: Store, run: Run, orders: Orders, signal: SignalRow) -> OrdersRow:
    """Log the plan of a logged decision; the same plan again adds no row."""
    document = orders.document(signal.session.isoformat())
    if orders.plan:
        append_findings(store, run.run_id, orders.plan.findings)
    return append_orders(
        store,
        OrdersRow(
            session=signal.session,
            revision=None,
            signal_revision=signal.revision or 0,
            run_id=run.run_id,
            recorded_at=run.started_at,
            plan_sha256=hashlib.sha256(canonical(document).encode()).hexdigest(),
            plan=as_logged(document),
        ),
    )
