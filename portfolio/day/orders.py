"""The orders stage: the session's logged target and the ledger in, a logged plan out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from portfolio.day.answer import as_logged, canonical
from portfolio.day.terms import fees_of, terms_of
from portfolio.errors import RuleRefusedError
from portfolio.orders.plan import plan_orders
from portfolio.orders.records import Plan, PlanInput
from portfolio.store.journal import append_findings
from portfolio.store.orders import OrdersRow, append_orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.account import Account
    from portfolio.day.run import Run
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Orders:
    """A session's plan, or why a limit refused it (then `plan` is None and nothing may be traded)."""

    plan: Plan | None
    refusal: str = ""

    def document(self, session: str) -> dict[str, Any]:
        """Write the plan as plain JSON values."""
        if self.plan is None:
            return {
                "session": session,
                "orders": [],
                "cash_after_eur": None,
                "weights_after": None,
                "why": self.refusal,
            }
        return self.plan.as_dict() | {"why": self.plan.suppressed}


def plan_session(run: Run, answer: Mapping[str, Any], account: Account) -> Orders:
    """Plan the orders of a decided session from what the account holds; a plan that breaks a limit is refused."""
    terms = terms_of(run.settings, run.universe)
    wanted = PlanInput(
        session=date.fromisoformat(answer["session"]),
        decision=answer["decision"],
        weights=answer["weights"],
        positions=account.positions,
        prices=account.prices,
        universe=run.universe,
        limits=terms.limits,
        fees=fees_of(run.settings),
        band=run.settings.band,
    )
    try:
        return Orders(plan_orders(wanted))
    except RuleRefusedError as error:
        return Orders(None, str(error))


def log_orders(store: Store, run: Run, orders: Orders, signal_revision: int) -> OrdersRow:
    """Log a session's plan; the same plan again adds no row."""
    document = orders.document(run.moment.session.isoformat())
    if orders.plan:
        append_findings(store, run.run_id, orders.plan.findings)
    return append_orders(
        store,
        OrdersRow(
            session=run.moment.session,
            revision=None,
            signal_revision=signal_revision,
            run_id=run.run_id,
            recorded_at=run.started_at,
            plan_sha256=hashlib.sha256(canonical(document).encode()).hexdigest(),
            plan=as_logged(document),
        ),
    )
