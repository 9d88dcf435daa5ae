"""The automation that closes runs without a sign of life, on a real Prefect server: what it closes, what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import automations
from flows.processes import wait_until
from tests.support.command import environment
from tests.support.prefect_server import Prefect, prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEAT_S = 30  # the least that Prefect allows, and what the worker's unit says
SILENCE = timedelta(seconds=BEAT_S + 8)  # shorter than ours, which waits for four beats
STARTED_S = 60.0
CLOSED_S = SILENCE.total_seconds() + 30
FLOW = """
import sys, time
from prefect import flow

@flow(name=sys.argv[1])
def sleeps(seconds):
    time.sleep(seconds)

sleeps(float(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(automations, "SILENCE", SILENCE)
        with temporary_settings({PREFECT_API_URL: server.url}), get_client(sync_client=True) as client:
            automations.upsert_automation(client)
        yield server


def _start(server: Prefect, folder: Path, name: str, seconds: float) -> subprocess.Popen[bytes]:
    beats = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(BEAT_S)}
    return subprocess.Popen(
        [sys.executable, "-c", FLOW, name, str(seconds)],
        cwd=folder,
        env=environment(folder, server.variables | beats),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _state(server: Prefect, name: str) -> tuple[str, str]:
    runs = server.runs(name)
    return (runs[0]["state_type"], runs[0]["state"]["message"] or "") if runs else ("", "")


def _beats(server: Prefect, name: str) -> list[str]:
    runs = server.runs(name)
    if not runs:
        return []
    wanted = {"event": {"name": [automations.HEARTBEAT]}, "resource": {"id": [f"prefect.flow-run.{runs[0]['id']}"]}}
    return [event["occurred"] for event in server.ask("/events/filter", filter=wanted)["events"]]


def _beat_late(server: Prefect, name: str) -> None:
    """Send the beat that a run's thread had under way when the run ended."""
    [run] = server.runs(name)
    event = {
        "occurred": datetime.now(UTC).isoformat(),
        "event": automations.HEARTBEAT,
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run['id']}", "prefect.resource.name": name},
        "id": str(uuid4()),
    }
    httpx.post(f"{server.url}/events", json=[event], timeout=STARTED_S).raise_for_status()


def test_only_the_run_whose_process_was_killed_is_closed(server, tmp_path):
    assert _start(server, tmp_path, "done", 0).wait(STARTED_S) == 0
    _beat_late(server, "done")  # its silence is noticed before the killed run's
    killed, alive = _start(server, tmp_path, "killed", 600), _start(server, tmp_path, "alive", 600)
    try:
        for name in ("killed", "alive"):
            assert wait_until(lambda name=name: bool(_beats(server, name)), STARTED_S), _state(server, name)
        os.kill(killed.pid, signal.SIGKILL)
        assert wait_until(lambda: _state(server, "killed")[0] == "CRASHED", CLOSED_S), _state(server, "killed")
        assert _state(server, "killed") == ("CRASHED", "It gave no sign of life: its process has gone.")
        assert len(_beats(server, "alive")) > 1
        assert _state(server, "alive")[0] == "RUNNING"
        assert _state(server, "done")[0] == "COMPLETED"
    finally:
        for process in (killed, alive):
            process.kill()
            process.wait()
