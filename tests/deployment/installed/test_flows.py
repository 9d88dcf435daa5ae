"""The daemon at work: schedules in the serving slot's queue, a run asked for through Prefect's API that ends well."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import pytest

from tests.support.machine.loopback import WEB, prefect, request
from tests.support.machine.place import BACKUPS
from tests.support.machine.releases import settled
from tests.support.machine.shell import on

PARIS = ZoneInfo("Europe/Paris")
# The roles' defaults: every weekday morning twice, every night once.
MORNING, SECOND, NIGHT = clock_time(7, 30), clock_time(8, 15), clock_time(22, 15)
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
RUN_ENDS_S = 240


@pytest.fixture(scope="module")
def slot(machine):
    return on(machine, "basename $(readlink /opt/portfolio/current)").strip()


def deployment(machine, name):
    return prefect(machine, f"/deployments/name/{name}", method="GET")


def ended(machine, run_id):
    """Wait for a run's end and return it."""
    until = time.monotonic() + RUN_ENDS_S
    while time.monotonic() < until:
        run = prefect(machine, f"/flow_runs/{run_id}", method="GET")
        if run["state_type"] in ENDED:
            return run
        time.sleep(1)
    message = f"The run {run_id} is still {run['state_type']} after {RUN_ENDS_S} s."
    raise AssertionError(message)


def planned(machine, name):
    """The runs that the schedule made for a deployment, earliest first."""
    return prefect(
        machine,
        "/flow_runs/filter",
        deployments={"id": {"any_": [deployment(machine, name)["id"]]}},
        flow_runs={
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"after_": datetime.now(UTC).isoformat()},
        },
        sort="EXPECTED_START_TIME_ASC",
    )


def next_times(at, *, weekdays_only, count):
    """The next instants of a Paris wall-clock time, counted by hand."""
    day, found = datetime.now(PARIS).date(), []
    while len(found) < count:
        instant = datetime.combine(day, at, PARIS)
        if instant > datetime.now(PARIS) and (day.weekday() < 5 or not weekdays_only):
            found.append(instant.astimezone(UTC))
        day += timedelta(days=1)
    return found


def wait_for_schedules(machine):
    until = time.monotonic() + 60
    while time.monotonic() < until and not planned(machine, "data-update/daily"):
        time.sleep(2)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("data-update/daily", [(MORNING, True), (SECOND, True)]),
        ("backup/nightly", [(NIGHT, False)]),
    ],
)
def test_schedule_has_its_next_runs_in_the_serving_slots_queue(machine, slot, name, times):
    wait_for_schedules(machine)
    runs = planned(machine, name)
    due = sorted(instant for at, weekdays in times for instant in next_times(at, weekdays_only=weekdays, count=2))
    seen = sorted({datetime.fromisoformat(run["expected_start_time"]) for run in runs})
    assert seen[:2] == due[:2]
    assert {run["work_queue_name"] for run in runs} == {slot}


def test_first_start_fetched_the_history_and_decided(machine):
    """The role's settings are the sample's: its clock stands, so the decision is known."""
    until = time.monotonic() + RUN_ENDS_S
    while time.monotonic() < until:
        answer = request(machine, f"{WEB}/api/v1/signal")
        if answer.status == 200:
            break
        time.sleep(2)
    assert answer.status == 200, answer.text
    assert answer.json()["session"] == "2019-01-02"


def test_run_asked_for_by_the_api_completes_and_tells_the_journal_in_json(machine, slot):
    asked = prefect(machine, f"/deployments/{deployment(machine, 'data-update/daily')['id']}/create_flow_run")
    run = ended(machine, asked["id"])
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert run["work_queue_name"] == slot
    lines = on(machine, f"journalctl -u portfolio-worker@{slot} -o cat --no-pager --since '-10 min'").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    of_flow = [line for line in told if line.get("logger", "").startswith(("portfolio", "flows"))]
    assert of_flow, "no JSON line of the flow in the journal"
    assert all({"time", "level", "event", "run_id"} <= set(line) for line in of_flow)


def test_backup_asked_for_by_the_api_is_there_and_verified(machine, slot):
    asked = prefect(machine, f"/deployments/{deployment(machine, 'backup/nightly')['id']}/create_flow_run")
    run = ended(machine, asked["id"])
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert on(machine, f"find {BACKUPS} -type f | head -3")
    told = on(machine, f"systemctl show -P StatusText portfolio-worker@{slot}")
    assert re.search(rf"^release \S+, slot {slot}: waits for runs; backup \S+ ended: done$", told)


def test_run_of_a_killed_worker_is_closed_and_the_next_one_completes(machine, slot):
    update = deployment(machine, "data-update/daily")["id"]
    run = prefect(machine, f"/deployments/{update}/create_flow_run")
    until = time.monotonic() + RUN_ENDS_S
    while time.monotonic() < until and run["state_type"] != "RUNNING":
        time.sleep(0.1)
        run = prefect(machine, f"/flow_runs/{run['id']}", method="GET")
        assert run["state_type"] not in ENDED, "it ended before it could be killed"
    on(machine, f"systemctl kill --signal=KILL portfolio-worker@{slot}")
    assert ended(machine, run["id"])["state_type"] == "CRASHED"
    assert settled(machine) == []
    again = prefect(machine, f"/deployments/{update}/create_flow_run")
    assert ended(machine, again["id"])["state_type"] == "COMPLETED"
