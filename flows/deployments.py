"""The deployments: what runs when, on which queue. Register them as often as you like; those gone are removed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows.automations import upsert_automation
from flows.backup import backup
from flows.data_update import data_update
from flows.names import (
    BACKUP_DEPLOYMENT,
    MANAGED,
    SIGNAL_DEPLOYMENT,
    SMOKE,
    UPDATE_DEPLOYMENT,
    WORK_POOL,
    WRITER_LIMIT,
    smoke_queue,
)
from flows.prefect_client import patient_client
from flows.signal_generation import signal_generation
from flows.smoke import smoke
from flows.waiting_runs import bring_along
from portfolio import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient

    from portfolio.settings import Settings

PARIS = "Europe/Paris"
WEEKDAYS, EVERY_DAY = "1-5", "*"
SECOND_TRY = timedelta(minutes=45)  # for a morning whose feed was late; the open is at 9
LAST_TRY = time(8, 50)
# One process a run. Without a command Prefect prepares a folder first, in a process of its own, which takes a second of
# a core. `python` is the worker's: flows.worker.
ENGINE = "python -m prefect.engine"


@dataclass(frozen=True, slots=True)
class Planned:
    """One deployment: its flow, its name in full, and when it runs by itself."""

    flow: Flow[..., Any]
    name: str
    schedules: tuple[DeploymentScheduleCreate, ...] = field(default=())


def planned(settings: Settings) -> tuple[Planned, ...]:
    """Return every deployment of this release.

    The times are Paris wall clock, none in the hour that the change of clocks drops or repeats. Holidays are the
    flow's own affair: it ends as skipped.
    """
    first = time.fromisoformat(settings.day_at)
    update = (_cron("first", first, WEEKDAYS), _cron("second", _later(first), WEEKDAYS, only_if_undecided=True))
    nightly = (_cron("night", time.fromisoformat(settings.backup_at), EVERY_DAY),)
    return (
        Planned(data_update, UPDATE_DEPLOYMENT, update),
        Planned(signal_generation, SIGNAL_DEPLOYMENT),
        Planned(backup, BACKUP_DEPLOYMENT, nightly),
    )


def registered(settings: Settings, folder: Path, queue: str, *, is_slot: bool) -> Iterator[str]:
    """Make the deployments this release's, on the queue, and tell it; a slot also gets its smoke run's."""
    removed = register(settings, folder, queue)
    if is_slot:
        register_smoke(folder, queue)
    yield f"Deployments: {', '.join(item.name for item in planned(settings))}"
    if removed:
        yield f"Removed, this release has them no more: {', '.join(removed)}"


def register(settings: Settings, folder: Path, queue: str) -> tuple[str, ...]:
    """Make Prefect's deployments what this release plans, on the given queue, run from the given folder.

    Runs that wait in another queue come along. Returns the names of deployments that were removed because this
    release has them no more.
    """
    wanted = planned(settings)
    with patient_client() as client:
        _ensure_pool(client)
        client.upsert_global_concurrency_limit_by_name(WRITER_LIMIT, 1)
        ours = {_register(client, item, folder, queue) for item in wanted}
        upsert_automation(client)
        bring_along(client, queue)
        return _prune(client, ours)


def register_smoke(folder: Path, slot: str) -> None:
    """Have the deployment by which the release tool sees that a slot's worker runs flows; it has no schedule."""
    with patient_client() as client:
        _register(client, Planned(smoke, f"{SMOKE}/{slot}"), folder, smoke_queue(slot), tags=())


def _cron(slug: str, at: time, weekdays: str, **parameters: object) -> DeploymentScheduleCreate:
    schedule = CronSchedule(cron=f"{at.minute} {at.hour} * * {weekdays}", timezone=PARIS)
    return DeploymentScheduleCreate(schedule=schedule, active=True, slug=slug, parameters=parameters)


def _later(first: time) -> time:
    """Return when the second try is: a fixed while after the first, or shortly before the open."""
    later = timedelta(hours=first.hour, minutes=first.minute) + SECOND_TRY
    return min(time(later.seconds // 3600, later.seconds // 60 % 60), LAST_TRY)


def _ensure_pool(client: SyncPrefectClient) -> None:
    """Have the process pool, without a limit of its own, which would count dead runs."""
    with suppress(ObjectNotFound):
        client.read_work_pool(WORK_POOL)
        return
    from prefect.workers.process import ProcessWorker  # noqa: PLC0415  # time that only a first registration takes

    template = ProcessWorker.get_default_base_job_template()
    with suppress(ObjectAlreadyExists):  # another one was quicker
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template))


def _register(
    client: SyncPrefectClient, item: Planned, folder: Path, queue: str, tags: tuple[str, ...] = (MANAGED,)
) -> UUID:
    return client.create_deployment(
        flow_id=client.create_flow(item.flow),
        name=item.name.partition("/")[2],
        version=__version__,
        schedules=list(item.schedules),
        work_pool_name=WORK_POOL,
        work_queue_name=queue,
        entrypoint=f"{item.flow.fn.__module__}.{item.flow.fn.__name__}",
        job_variables={"command": ENGINE, "working_dir": str(folder)},
        pull_steps=[],  # those of an earlier release would stay
        description=item.flow.description,
        parameter_openapi_schema=parameter_schema(item.flow.fn).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        tags=list(tags),
    )


def _prune(client: SyncPrefectClient, wanted: set[UUID]) -> tuple[str, ...]:
    managed = DeploymentFilter(tags=DeploymentFilterTags(all_=[MANAGED]))
    removed = []
    for deployment in client.read_deployments(deployment_filter=managed):
        if deployment.id not in wanted:
            removed.append(f"{client.read_flow(deployment.flow_id).name}/{deployment.name}")
            client.delete_deployment(deployment.id)
    return tuple(removed)
