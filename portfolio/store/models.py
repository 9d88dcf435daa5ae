"""The record of fitted models and of promotions, append-only; the models themselves are files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime  # noqa: TC003  # dataclass tools read the annotations at run time
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.store.rows import first, parameters, records

if TYPE_CHECKING:
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A fitted model: its window, whether its gates passed, and its manifest as JSON text."""

    model_id: str
    created_at: datetime
    run_id: str
    fit_start: date
    fit_end: date
    passed: bool
    manifest: str


@dataclass(frozen=True, slots=True)
class PromotionRow:
    """A model taking a role from an instant on, with the reasons as JSON text; `seq` is given by the store."""

    model_id: str
    promoted_at: datetime
    run_id: str
    reasons: str
    role: str = "champion"
    seq: int | None = None


_INSERT_MODEL = """
INSERT INTO out.models VALUES ($model_id, $created_at, $run_id, $fit_start, $fit_end, $passed, $manifest)
"""
_READ_MODEL = """
SELECT model_id, created_at, run_id, fit_start, fit_end, passed, manifest FROM out.models WHERE model_id = ?
"""
_INSERT_PROMOTION = "INSERT INTO out.promotions VALUES ($seq, $model_id, $role, $promoted_at, $run_id, $reasons)"
_PROMOTIONS = "SELECT model_id, promoted_at, run_id, reasons, role, seq FROM out.promotions ORDER BY seq"
_CHAMPION = """
SELECT m.model_id, m.created_at, m.run_id, m.fit_start, m.fit_end, m.passed, m.manifest
FROM out.promotions AS p
JOIN out.models AS m ON m.model_id = p.model_id
WHERE p.role = 'champion' AND m.fit_end <= $fit_end_not_after
      AND ($promoted_not_after::TIMESTAMPTZ IS NULL OR p.promoted_at <= $promoted_not_after)
ORDER BY p.seq DESC LIMIT 1
"""


def append_model(store: Store, row: ModelRow) -> bool:
    """Record a fitted model; a model already recorded is left as it is. Tells whether a row was added."""
    with store.transaction():
        known = read_model(store, row.model_id)
        if known is None:
            store.connection.execute(_INSERT_MODEL, parameters(row))
    return known is None


def read_model(store: Store, model_id: str) -> ModelRow | None:
    """Read one model's record."""
    return first(store.connection.execute(_READ_MODEL, [model_id]), ModelRow)


def append_promotion(store: Store, row: PromotionRow) -> PromotionRow:
    """Record that a model takes a role, unless it already has it; raises StoreError for a model without a record."""
    with store.transaction():
        if read_model(store, row.model_id) is None:
            message = (
                f"Model {row.model_id} cannot be promoted to {row.role}: only a recorded model can, and the store has "
                "no record of it. Fit it again."
            )
            raise StoreError(message)
        earlier = read_promotions(store)
        holders = [promotion for promotion in earlier if promotion.role == row.role]
        if holders and holders[-1].model_id == row.model_id:
            return holders[-1]
        recorded = replace(row, seq=len(earlier) + 1)
        store.connection.execute(_INSERT_PROMOTION, parameters(recorded))
    return recorded


def read_promotions(store: Store) -> list[PromotionRow]:
    """Read every promotion, oldest first."""
    return records(store.connection.execute(_PROMOTIONS), PromotionRow)


def read_champion(store: Store, fit_end_not_after: date, promoted_not_after: datetime | None = None) -> ModelRow | None:
    """Read the most recently promoted champion that saw no data after `fit_end_not_after`.

    Look-ahead rule: with `promoted_not_after`, promotions made after that instant do not exist yet.
    """
    place = {"fit_end_not_after": fit_end_not_after, "promoted_not_after": promoted_not_after}
    return first(store.connection.execute(_CHAMPION, place), ModelRow)
