"""What a person reads in Prefect's UI: the decision, its weights, its orders, and what the checks found.

Each has a key, so that Prefect keeps its history from run to run.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectException

from flows.markdown import WHOLE_PERCENT, decision_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portfolio.day.backup import BackupResult
    from portfolio.day.run import Run
    from portfolio.day.stages import Day
    from portfolio.day.update import Update
    from portfolio.findings import Finding

log = logging.getLogger(__name__)

NONE = [{"": "none"}]  # Prefect shows an empty table as nothing at all


@contextmanager
def worth_no_failure() -> Iterator[None]:
    """Go on when Prefect does not take an artifact: what it shows is in the store and on the page."""
    try:
        yield
    except (PrefectException, httpx.HTTPError) as error:
        log.warning("not shown in Prefect", extra={"reason": repr(error)})


@worth_no_failure()
def show_update(update: Update | None, unfetched: Sequence[Finding]) -> None:
    """Show what an update brought and what its checks found."""
    found = [*unfetched, *(update.checked.findings if update else ())]
    rows = update.receipt if update else None
    counts = (
        f"Batch {rows.batch_id}: {rows.rows_in} rows believed, {rows.rows_new} new or corrected, "
        f"{rows.rows_quarantined} quarantined."
        if rows
        else "Nothing was fetched."
    )
    create_table_artifact(_finding_rows(found), key="update-findings", description=counts)


@worth_no_failure()
def show_day(run: Run, day: Day) -> None:
    """Show a decision: in words, its weights, orders and findings as tables, and where the page is."""
    answer, session = day.signal.answer, day.signal.answer["session"]
    orders = day.orders.document(session)
    heading = f"{answer['decision']} for session {session}"
    create_markdown_artifact(decision_text(answer, orders, run.settings.source), key="decision", description=heading)
    create_table_artifact(_weight_rows(answer["weights"]), key="weights", description=heading)
    create_table_artifact(_order_rows(orders["orders"]), key="orders", description=orders["why"] or heading)
    create_table_artifact(answer["data"]["findings"] or NONE, key="findings", description=heading)
    if day.signal.row is not None:
        create_link_artifact(day.page.as_uri(), link_text=str(day.page), key="page", description=heading)


@worth_no_failure()
def show_backup(made: BackupResult) -> None:
    """Show where a backup is and what is in it."""
    rows = [{"what": name, "value": str(value)} for name, value in made.as_dict().items()]
    create_table_artifact(rows, key="backup", description=f"{made.rows} rows, verified")


def _finding_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [finding.as_dict() for finding in findings] or NONE


def _weight_rows(weights: dict[str, float]) -> list[dict[str, Any]]:
    return [{"line": line, "weight %": round(weight * WHOLE_PERCENT, 2)} for line, weight in weights.items()]


def _order_rows(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = ("side", "quantity", "ticker", "price_eur", "amount_eur", "fee_eur", "reason")
    return [{name: order[name] for name in wanted} for order in orders] or NONE
