"""Runs that wait in a queue whose worker is to go: they come along to the queue that takes over.

Registering a deployment on another queue moves what its schedule has planned. What is late, or was started by another
run, stays behind in the old queue, where nobody would take it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from flows.dead_runs import OURS, in_states, late_but_the_newest
from portfolio.clock import now_utc

if TYPE_CHECKING:
    from datetime import datetime

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

log = logging.getLogger(__name__)

WAITING = frozenset({"Scheduled", "Late"})  # other scheduled states belong to a process that is alive: a retry, say


def bring_along(client: SyncPrefectClient, queue: str) -> tuple[FlowRun, ...]:
    """Put what waits in other queues into this one, each run once; returns the new runs.

    Of a schedule's runs that piled up, the newest of each deployment comes along: it makes up for the others.
    Meant for a queue that gives nothing out any more: a worker that takes a run just then keeps it.
    """
    scheduled = client.read_flow_runs(deployment_filter=OURS, flow_run_filter=in_states([StateType.SCHEDULED]))
    left_behind, now = [run for run in scheduled if _is_left_behind(run, queue)], now_utc()
    dropped = [*late_but_the_newest(left_behind, now), *(run for run in left_behind if _is_planned_anew(run, now))]
    for run in dropped:
        client.delete_flow_run(run.id)
    brought = [_brought(client, run) for run in left_behind if run not in dropped]
    return tuple(run for run in brought if run is not None)


def _is_left_behind(run: FlowRun, queue: str) -> bool:
    return run.work_queue_name != queue and run.run_count == 0 and run.state_name in WAITING


def _is_planned_anew(run: FlowRun, now: datetime) -> bool:
    """Tell a run that its schedule plans once more: the server's planner, at work meanwhile, left it here."""
    return run.auto_scheduled and run.expected_start_time is not None and run.expected_start_time > now


def _brought(client: SyncPrefectClient, run: FlowRun) -> FlowRun | None:
    """Make the run anew in its deployment's queue, then let the old one go; None when a worker has just taken it."""
    if run.deployment_id is None:
        return None
    anew = client.create_flow_run_from_deployment(
        run.deployment_id,
        parameters=run.parameters,
        state=Scheduled(scheduled_time=run.next_scheduled_start_time or run.expected_start_time),
        name=run.name,
        tags=run.tags,
        idempotency_key=f"brought along/{run.id}",  # killed between the two, the next try makes no second one
    )
    try:
        taken = client.read_flow_run(run.id).state_type is not StateType.SCHEDULED
    except ObjectNotFound:
        taken = False
    client.delete_flow_run(anew.id if taken else run.id)
    log.info("run brought along", extra={"flow_run": run.name, "taken": taken})
    return None if taken else anew
