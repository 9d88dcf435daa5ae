"""Starting decisions as runs of their own: one for each session, oldest first, each started by the one before it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from flows.names import SIGNAL_DEPLOYMENT
from portfolio.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portfolio.day.due import Due
    from portfolio.day.run import Run
    from portfolio.findings import Finding


def start_signal(due: Sequence[Due], noticed: Sequence[Finding], late_s: float) -> None:
    """Start the decision of the oldest session due; what the update noticed concerns the session that opens next.

    `late_s`: how long ago the instant was that the decisions are taken as at.
    """
    start_next([_parameters(item, () if item.made_up else noticed) | {"late_s": late_s} for item in due])


def waited(run: Run) -> timedelta:
    """Return how long a run waited in its queue: a host that was off or asleep meanwhile does it later than meant."""
    return max(run.started_at - flow_run.scheduled_start_time, timedelta(0))


def start_next(waiting: list[dict[str, Any]]) -> None:
    """Start the first of the decisions waiting, and hand it the others."""
    if not waiting:
        return
    first, *others = waiting
    try:
        run_deployment(
            SIGNAL_DEPLOYMENT,
            parameters={**first, "then": others},
            timeout=0,
            as_subflow=False,
            # A retried starter starts nothing twice.
            idempotency_key=f"{first['as_of']}/{flow_run.id}",
        )
    except ObjectNotFound as error:
        message = f"Prefect has no deployment {SIGNAL_DEPLOYMENT}, which decides: register it with `make up`."
        raise UsageError(message) from error


def _parameters(item: Due, noticed: Sequence[Finding]) -> dict[str, Any]:
    findings = (*item.noticed, *noticed)
    return {"as_of": item.instant.isoformat(), "noticed": [finding.as_dict() for finding in findings]}
