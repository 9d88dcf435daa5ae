"""The automation that closes runs whose process has gone: a run that stops giving signs of life is Crashed.

Prefect's server does not do that by itself, and a run that it calls Running for ever keeps others waiting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

NAME = "portfolio: close runs without a sign of life"
HEARTBEAT = "prefect.flow-run.heartbeat"
SILENCE = timedelta(seconds=120)  # four times PREFECT_FLOWS_HEARTBEAT_FREQUENCY as the worker's unit has it


def zombie_automation() -> AutomationCore:
    """Return the automation: after one heartbeat of a run, another event of it is expected within SILENCE."""
    return AutomationCore(
        name=NAME,
        description="A run whose process was killed stays Running in Prefect; this closes it as Crashed.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="It gave no sign of life: its process has gone.")],
    )


def upsert_automation(client: SyncPrefectClient) -> None:
    """Have the automation once, as this release wants it; Prefect's own creating makes one more each time."""
    wanted, (first, *others) = zombie_automation(), [*client.read_automations_by_name(NAME), None]
    if first is None:
        client.create_automation(wanted)
        return
    client.update_automation(first.id, wanted)
    for surplus in others:
        if surplus is not None:
            client.delete_automation(surplus.id)
