"""The log of order proposals, append-only. Reading the newest works without pandas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime  # noqa: TC003  # dataclass tools read the annotations at run time
from typing import TYPE_CHECKING

from portfolio.store.rows import first, parameters
from portfolio.store.signals import ensure_in_order

if TYPE_CHECKING:
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class OrdersRow:
    """A logged plan (JSON text) for a session, made from the signal revision named; `revision` is the store's."""

    session: date
    revision: int | None
    signal_revision: int
    run_id: str
    recorded_at: datetime
    plan_sha256: str
    plan: str


_INSERT = """
INSERT INTO out.orders
VALUES ($session, $revision, $signal_revision, $run_id, $recorded_at, $plan_sha256, $plan)
"""
_NEWEST = """
SELECT session, revision, signal_revision, run_id, recorded_at, plan_sha256, plan
FROM out.orders ORDER BY session DESC, revision DESC LIMIT 1
"""
_NEWEST_OF = """
SELECT session, revision, signal_revision, run_id, recorded_at, plan_sha256, plan
FROM out.orders WHERE session = ? ORDER BY revision DESC LIMIT 1
"""


def append_orders(store: Store, row: OrdersRow) -> OrdersRow:
    """Log a plan as the next revision of its session and return it as logged.

    The newest revision with the same plan for the same signal is returned instead, and no row added. Raises
    StoreError for a session older than the newest logged one.
    """
    with store.transaction():
        newest = read_orders(store)
        ensure_in_order("plan", row.session, newest.session if newest else None)
        same_session = newest if newest and newest.session == row.session else None
        if same_session and _same(same_session, row):
            return same_session
        logged = replace(row, revision=(same_session.revision or 0) + 1 if same_session else 1)
        store.connection.execute(_INSERT, parameters(logged))
    return logged


def _same(logged: OrdersRow, row: OrdersRow) -> bool:
    return (logged.plan_sha256, logged.signal_revision) == (row.plan_sha256, row.signal_revision)


def read_orders(store: Store, session: date | None = None) -> OrdersRow | None:
    """Read the newest revision of a session's plan, of the newest session when none is given."""
    if session is None:
        return first(store.connection.execute(_NEWEST), OrdersRow)
    return first(store.connection.execute(_NEWEST_OF, [session]), OrdersRow)
