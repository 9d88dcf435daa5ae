"""Rows of the store's logs, drawn short."""

from __future__ import annotations

from datetime import date

from portfolio.store.orders import OrdersRow
from portfolio.store.signals import SignalRow
from tests.support.store_batches import at


def signal(session: str, answer: str = "{}") -> SignalRow:
    """A decision for a session; its fingerprint is the answer itself."""
    return SignalRow(
        session=date.fromisoformat(session),
        revision=None,
        decided_at=at("2018-12-31 18:00"),
        recorded_at=at("2018-12-31 18:01"),
        as_of=date(2018, 12, 31),
        run_id="run",
        decision="TARGET",
        model_id="m1",
        batch_id=1,
        previous_session=None,
        previous_revision=None,
        answer_sha256=answer,
        answer=answer,
        settings_json="{}",
    )


def orders(session: str, plan: str = "{}", signal_revision: int = 1) -> OrdersRow:
    return OrdersRow(date.fromisoformat(session), None, signal_revision, "run", at("2018-12-31 18:01"), plan, plan)
