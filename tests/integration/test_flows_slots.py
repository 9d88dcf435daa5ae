"""Deployments handed from slot to slot on a real Prefect server: every run once, in the queue that takes over."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from flows.automations import NAME
from flows.names import BACKUP, DATA_UPDATE, SIGNAL_GENERATION
from flows.prefect_api import PrefectApi
from flows.processes import wait_until
from portfolio.release import visible
from portfolio.release.failures import ReleaseError
from portfolio.release.host import Host
from portfolio.release.layout import Layout
from portfolio.release.prefect_api import NoSuchError
from tests.support.command import environment
from tests.support.flow_forks import ROOT
from tests.support.prefect_server import prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.release.layout import Slot
    from tests.support.prefect_server import Prefect

PLANNED_S = 60.0  # Prefect's scheduler looks every few seconds on a server for tests


@dataclass(frozen=True, slots=True)
class Slots:
    """A server without a worker, and the way a release registers on a slot."""

    prefect: Prefect
    folder: Path

    def startup(self, *arguments: str, **more: str) -> str:
        settings = {"DATA_DIR": str(self.folder / "data"), "PYTHONPATH": str(ROOT), **self.prefect.variables, **more}
        ended = subprocess.run(
            [sys.executable, "-m", "flows.startup", *arguments],
            cwd=self.folder,
            env=environment(self.folder, settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def queues(self, flow: str) -> dict[str, list[str]]:
        """Runs that wait, by the queue they wait in: when each is expected."""
        found: dict[str, list[str]] = {}
        for run in self.prefect.runs(flow, "SCHEDULED"):
            found.setdefault(run["work_queue_name"], []).append(run["expected_start_time"])
        return found

    def wait_planned(self, flow: str, queue: str) -> list[str]:
        assert wait_until(lambda: bool(self.queues(flow).get(queue)), PLANNED_S), self.queues(flow)
        return self.queues(flow)[queue]

    def has_as_many(self, flow: str, queue: str, planned: list[str]) -> bool:
        return len(self.queues(flow)[queue]) >= len(planned)


@pytest.fixture(scope="module")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slots]:
    soon = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2"}
    with prefect_server(tmp_path_factory.mktemp("prefect"), soon) as server:
        slots = Slots(server, tmp_path_factory.mktemp("house"))
        slots.startup("--queue", "blue", "--register-only")
        yield slots


def test_registration_starts_nothing_and_gives_a_slot_its_smoke_run(slots):
    assert slots.prefect.waiting(DATA_UPDATE) == []
    smoke = PrefectApi(slots.prefect.url).ask("GET", "/deployments/name/smoke/blue")
    assert (smoke["work_queue_name"], smoke["schedules"]) == ("blue-smoke", [])


def test_every_run_waits_once_in_the_queue_that_takes_over_when_another_slot_registers(slots):
    before = {flow: slots.wait_planned(flow, "blue") for flow in (DATA_UPDATE, BACKUP)}
    late = _made_late(slots, BACKUP)
    by_hand = slots.prefect.create(SIGNAL_GENERATION, as_of="2018-06-29T07:30:00+02:00")

    slots.startup("--queue", "green", "--register-only")

    for flow, planned in before.items():
        slots.wait_planned(flow, "green")
        assert wait_until(partial(slots.has_as_many, flow, "green", planned), PLANNED_S)
        waiting = slots.queues(flow)
        assert list(waiting) == ["green"]
        assert len(waiting["green"]) == len(set(waiting["green"]))
    assert late in slots.queues(BACKUP)["green"]
    [moved] = slots.prefect.runs(SIGNAL_GENERATION)
    assert (moved["work_queue_name"], moved["parameters"]["as_of"]) == ("green", "2018-06-29T07:30:00+02:00")
    assert moved["id"] != by_hand


def test_nothing_moves_when_a_slot_registers_again(slots):
    slots.wait_planned(BACKUP, "green")
    [moved] = slots.prefect.runs(SIGNAL_GENERATION)
    slots.startup("--queue", "green", "--register-only")
    assert [run["id"] for run in slots.prefect.runs(SIGNAL_GENERATION)] == [moved["id"]]


def test_a_run_in_hand_stays_where_it_is_when_another_slot_registers(slots):
    [waiting] = slots.prefect.runs(SIGNAL_GENERATION)
    slots.prefect.ask(f"/flow_runs/{waiting['id']}/set_state", state={"type": "PENDING"}, force=True)
    slots.startup("--queue", "blue", "--register-only")
    [still] = slots.prefect.runs(SIGNAL_GENERATION)
    assert (still["id"], still["work_queue_name"], still["state_type"]) == (waiting["id"], "green", "PENDING")


def test_automation_for_dead_runs_is_there_once_however_often_a_slot_registers(slots):
    names = [automation["name"] for automation in slots.prefect.ask("/automations/filter")]
    assert names == [NAME]


def test_missed_sessions_start_one_update_and_no_second_while_it_waits(slots):
    assert "decided now" in slots.startup("--queue", "blue", "--make-up-only")
    assert "an update is under way" in slots.startup("--queue", "blue", "--make-up-only")
    assert len(slots.prefect.waiting(DATA_UPDATE)) == 1


def test_a_slot_that_does_not_serve_prepares_nothing(slots):
    before = slots.queues(BACKUP)
    assert slots.startup("--queue", "green", "--serving-slot") == "Slot green does not serve: nothing to prepare.\n"
    assert slots.queues(BACKUP).keys() == before.keys()


def _made_late(slots: Slots, flow: str) -> str:
    """Let one of a schedule's runs be late, as it is when its queue was paused; returns when it was expected."""
    run: dict[str, Any] = slots.prefect.runs(flow, "SCHEDULED")[0]
    due = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    state = {"type": "SCHEDULED", "name": "Late", "state_details": {"scheduled_time": due}}
    slots.prefect.ask(f"/flow_runs/{run['id']}/set_state", state=state, force=True)
    return slots.prefect.ask("/flow_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})[0]["expected_start_time"]


def test_a_run_of_the_other_slot_is_closed_only_when_its_worker_is_gone(slots):
    """Its process is behind another sandbox: what Prefect hears of the worker is all that tells."""
    [run] = slots.prefect.runs(SIGNAL_GENERATION)
    slots.prefect.ask(f"/flow_runs/{run['id']}/set_state", state={"type": "RUNNING"}, force=True)
    slots.prefect.ask("/work_pools/portfolio/workers/heartbeat", name="worker-green", heartbeat_interval_seconds=30)
    assert "Closed" not in slots.startup("--queue", "blue", "--beside-worker", PORTFOLIO_SLOT="blue")
    assert "Closed" in slots.startup("--queue", "green", "--beside-worker", PORTFOLIO_SLOT="green")
    assert [run["state_type"] for run in slots.prefect.runs(SIGNAL_GENERATION)] == ["CRASHED"]


def test_of_runs_that_piled_up_in_the_other_queue_the_newest_of_each_deployment_comes_along(slots):
    slots.startup("--queue", "blue", "--register-only")
    slots.wait_planned(BACKUP, "blue")
    by_hand = slots.prefect.create(BACKUP)
    with closing(sqlite3.connect(slots.prefect.home / "prefect.db", timeout=30)) as database, database:
        for column in ("expected_start_time", "next_scheduled_start_time"):
            nine_days_ago = f"datetime({column}, '-9 days')"
            database.execute(f"UPDATE flow_run SET {column} = {nine_days_ago} WHERE auto_scheduled")  # noqa: S608  # no input
    slots.startup("--queue", "green", "--register-only")
    waiting = [run for run in slots.prefect.runs(BACKUP, "SCHEDULED") if run["id"] in slots.prefect.waiting(BACKUP)]
    assert [run["work_queue_name"] for run in waiting] == ["green", "green"]
    assert by_hand not in [run["id"] for run in waiting]  # made anew, as the late one is


def test_smoke_run_of_the_other_slot_is_closed_once_the_release_tool_has_signed_its_worker_off(slots):
    host = Host(Layout(slots.folder), slots.prefect.url, "")
    run = visible.ask_smoke(host, "blue", "1.0")
    slots.prefect.ask(f"/flow_runs/{run}/set_state", state={"type": "PENDING"}, force=True)
    slots.prefect.ask("/work_pools/portfolio/workers/heartbeat", name="worker-blue", heartbeat_interval_seconds=30)
    slots.startup("--queue", "green", PORTFOLIO_SLOT="green")
    assert host.api.state_of(run)[0] == "PENDING"
    for _ in range(2):  # the second time there is none
        host.api.forget_worker("worker-blue")
    slots.startup("--queue", "green", PORTFOLIO_SLOT="green")
    assert host.api.state_of(run)[0] == "CRASHED"


def test_release_tool_asks_what_the_real_server_answers(slots):
    """Its own tests have a stub of the API; this is what keeps the stub honest."""
    host = Host(Layout(slots.folder), slots.prefect.url, "")
    assert host.api.is_ready()
    assert visible.has_queues(host)
    for queue in ("anew", "anew-smoke"):
        with pytest.raises(NoSuchError):
            host.api.is_paused(queue)
    for paused in (True, False):
        visible.prepare_queue(host, cast("Slot", "anew"), paused=paused)
        assert (host.api.is_paused("anew"), host.api.is_paused("anew-smoke")) == (paused, False)
    run = visible.ask_smoke(host, "blue", "1.0")
    assert host.api.state_of(run)[0] == "SCHEDULED"
    slots.prefect.ask(f"/flow_runs/{run}/set_state", state={"type": "PENDING"}, force=True)
    assert host.api.is_starting_one("blue", "blue-smoke")
    assert not host.api.is_starting_one("blue")
    slots.prefect.ask(f"/flow_runs/{run}/set_state", state={"type": "FAILED", "message": "why"}, force=True)
    with pytest.raises(ReleaseError, match=r"ended as FAILED: why"):
        visible.wait_smoke(host, run, "1.0")
    left = visible.ask_smoke(host, "blue", "1.0")
    slots.prefect.ask(f"/flow_runs/{left}/set_state", state={"type": "RUNNING"}, force=True)
    visible.close_smoke(host, left)
    assert host.api.state_of(left) == ("CRASHED", "Its worker has ended, as the switch was undone.")
    waiting = visible.ask_smoke(host, "blue", "1.0")
    visible.forget_smoke(host, waiting)
    with pytest.raises(NoSuchError):
        host.api.state_of(waiting)
    begun = datetime.now(UTC)
    assert host.api.seen_online("worker-odd") is None
    slots.prefect.ask("/work_pools/portfolio/workers/heartbeat", name="worker-odd", heartbeat_interval_seconds=30)
    seen = host.api.seen_online("worker-odd")
    assert seen is not None
    assert seen >= begun - timedelta(seconds=1)
