"""What a day leaves, for comparing one that was disturbed with one that was not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portfolio.regime.artifact import read_model
from portfolio.store.connection import open_reader
from portfolio.store.orders import read_orders
from portfolio.store.signals import read_signals
from tests.support.days import settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.store.connection import Store
    from portfolio.store.signals import SignalRow

_PARTIAL_BATCHES = """
WITH stored AS (
    SELECT batch_id, count(*) AS rows FROM (
        SELECT batch_id FROM raw.prices
        UNION ALL SELECT batch_id FROM raw.actions
        UNION ALL SELECT batch_id FROM raw.macro
    ) GROUP BY batch_id
), doubted AS (SELECT batch_id, count(*) AS rows FROM raw.quarantine GROUP BY batch_id)
SELECT batch_id FROM raw.batches AS b
FULL JOIN stored AS s USING (batch_id)
FULL JOIN doubted AS d USING (batch_id)
WHERE b.rows_new IS NULL OR b.rows_new <> coalesce(s.rows, 0) OR b.rows_quarantined <> coalesce(d.rows, 0)
"""
_REPEATED_SIGNALS = "SELECT session FROM out.signals GROUP BY session, answer_sha256 HAVING count(*) > 1"
_ORPHANED_ORDERS = """
SELECT session FROM out.orders AS o
WHERE NOT EXISTS (SELECT 1 FROM out.signals AS s WHERE s.session = o.session AND s.revision = o.signal_revision)
"""
_STRANGE_PROMOTIONS = "SELECT model_id FROM out.promotions WHERE model_id NOT IN (SELECT model_id FROM out.models)"


def check_whole(store: Store) -> None:
    for statement in (_PARTIAL_BATCHES, _REPEATED_SIGNALS, _ORPHANED_ORDERS, _STRANGE_PROMOTIONS):
        assert store.connection.execute(statement).fetchall() == []


def left_by(folder: Path) -> dict[str, Any]:
    """What a day is for: decisions, orders, models, a page; and no file that should not be there."""
    settings = settings_in(folder)
    state = settings.state_dir
    with open_reader(settings.store_path, "sample") as store:
        check_whole(store)
        decisions = [deciding(row) for row in read_signals(store)]
        plans = [(row.session, row.revision, row.plan) for row in [read_orders(store)] if row]
        prices = store.connection.execute(
            "SELECT symbol, count(*), sum(close) FROM raw.prices GROUP BY symbol ORDER BY symbol"
        ).fetchall()
    models = sorted(path.name for path in (state / "models").glob("hmm-*"))
    assert all(read_model(state / "models", model_id).model_id == model_id for model_id in models)
    assert (state / "report/index.html").read_text("utf-8").rstrip().endswith("</html>")
    files = sorted(path.name for path in state.iterdir())
    return {"decisions": decisions, "plans": plans, "prices": prices, "models": models, "files": files}


def deciding(row: SignalRow) -> tuple[object, ...]:
    """A logged decision without who took it, when, and what it told of a fit that may have been made by the killed."""
    answer = json.loads(row.answer) | {"data": None}
    return row.session, row.revision, row.decided_at, row.answer_sha256, json.dumps(answer)
