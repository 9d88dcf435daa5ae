"""Runs that Prefect still calls running although their process has gone: closed, so that nothing waits for ever.

A worker that is killed, or a machine that loses power, leaves them; Prefect's own server never closes them.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run as current
from prefect.states import Crashed

from flows.names import MANAGED, WORK_POOL, WRITER_LIMIT, smoke_queue
from portfolio.clock import now_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prefect.client.schemas.objects import FlowRun

log = logging.getLogger(__name__)

OURS = DeploymentFilter(tags=DeploymentFilterTags(all_=[MANAGED]))
IN_HAND = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
RUN_VARIABLE = b"PREFECT__FLOW_RUN_ID="  # what a worker gives each flow's process
GONE = "Its process has gone; a later run closed it."
WORKER_OF = "worker-"  # before the slot's name, as the worker's unit has it
WORKER_SILENCE = timedelta(seconds=90)  # three of its heartbeats, after which Prefect calls it offline
STARTING = timedelta(minutes=2)  # a run in hand younger than this may have no process yet


def close_dead_runs(
    is_alive: Callable[[UUID], bool] | None = None, starting: timedelta = STARTING, slot: str | None = None
) -> tuple[FlowRun, ...]:
    """Mark our runs in hand that have no process on this machine as crashed, and return them.

    On a host with two slots (`slot` is ours) the other slot's processes are out of sight, behind its sandbox: its runs
    go on as long as Prefect hears of its worker.
    """
    alive = is_alive or _processes()
    with get_client(sync_client=True) as client:
        elsewhere = _other_queues_at_work(client, slot) if slot else frozenset()
        dead = tuple(
            run for run in _in_hand(client) if run.work_queue_name not in elsewhere and _is_dead(run, alive, starting)
        )
        for run in dead:
            client.set_flow_run_state(run.id, Crashed(message=GONE), force=True)
            log.warning("dead run closed", extra={"flow_run": run.name})
        if dead:
            _free_the_writers_turn(client)
    return dead


def _other_queues_at_work(client: SyncPrefectClient, slot: str) -> frozenset[str]:
    """Name the queues of other slots whose worker, named after its slot, Prefect has heard of lately."""
    since = now_utc() - WORKER_SILENCE
    workers = client.read_workers_for_work_pool(WORK_POOL)
    heard = {worker.name for worker in workers if worker.last_heartbeat_time and worker.last_heartbeat_time > since}
    others = {name.removeprefix(WORKER_OF) for name in heard - {f"{WORKER_OF}{slot}"}}
    return frozenset(others | {smoke_queue(other) for other in others})


def older_run_in_hand() -> str | None:
    """Name a run of this flow that began before this one and still goes on; the younger leaves the work to it."""
    if current.id is None:
        return None
    with get_client(sync_client=True) as client:
        here = client.read_flow_run(UUID(str(current.id)))
        others = [run for run in _in_hand(client) if run.flow_id == here.flow_id and run.id != here.id]
    older = [run for run in others if run.start_time and _order(run) < _order(here)]
    return min(older, key=_order).name if older else None


def drop_late_runs(now: datetime) -> tuple[FlowRun, ...]:
    """Delete runs whose time passed while no worker was there, but the newest of each deployment.

    A worker would do all of them at once; one makes up for what the others were for.
    """
    with get_client(sync_client=True) as client:
        scheduled = client.read_flow_runs(deployment_filter=OURS, flow_run_filter=in_states([StateType.SCHEDULED]))
        dropped = late_but_the_newest(scheduled, now)
        for run in dropped:
            client.delete_flow_run(run.id)
    return dropped


def late_but_the_newest(runs: Iterable[FlowRun], now: datetime) -> tuple[FlowRun, ...]:
    """Return those of a schedule's runs whose time has passed, without the newest of each deployment."""
    late = sorted((run for run in runs if run.auto_scheduled and _planned_for(run) < now), key=_planned_for)
    newest = {run.deployment_id: run.id for run in late}
    return tuple(run for run in late if run.id != newest[run.deployment_id])


def has_one_waiting(deployment: str) -> bool:
    """Tell whether a run of a deployment is due or in hand."""
    with get_client(sync_client=True) as client:
        deployment_id = client.read_deployment_by_name(deployment).id
        runs = client.read_flow_runs(deployment_filter=OURS, flow_run_filter=in_states([*IN_HAND, StateType.SCHEDULED]))
    now = now_utc()
    return any(
        run.deployment_id == deployment_id and (run.state_type is not StateType.SCHEDULED or _planned_for(run) <= now)
        for run in runs
    )


def _planned_for(run: FlowRun) -> datetime:
    return run.expected_start_time or datetime.max.replace(tzinfo=UTC)


def _order(run: FlowRun) -> tuple[datetime, str]:
    return run.start_time or datetime.max.replace(tzinfo=UTC), str(run.id)


def in_states(states: list[StateType]) -> FlowRunFilter:
    """Return the filter of runs in one of these types of state."""
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)))


def _in_hand(client: SyncPrefectClient) -> list[FlowRun]:
    """Read what goes on in our pool: the managed deployments' runs, and the smoke runs of a switch."""
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[WORK_POOL]))
    return client.read_flow_runs(work_pool_filter=pool, flow_run_filter=in_states(IN_HAND))


def _is_dead(run: FlowRun, is_alive: Callable[[UUID], bool], starting: timedelta) -> bool:
    if str(run.id) == current.id or is_alive(run.id):
        return False
    # A run is called running by its own process; one that is pending may have none yet.
    state = run.state
    return state is None or state.type is not StateType.PENDING or now_utc() - state.timestamp > starting


def _processes() -> Callable[[UUID], bool]:
    running = set()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            values = environment.read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or another user's
            continue
        running |= {value.removeprefix(RUN_VARIABLE) for value in values if value.startswith(RUN_VARIABLE)}
    return lambda run_id: str(run_id).encode() in running


def _free_the_writers_turn(client: SyncPrefectClient) -> None:
    """Give back the place a dead writer held; were a living one to hold it, the store's lock still parts them."""
    client.update_global_concurrency_limit(WRITER_LIMIT, GlobalConcurrencyLimitUpdate(active_slots=0))
