"""The flows on a real Prefect server, each run in a process of its own, as a worker runs them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from flows.names import BACKUP, DATA_UPDATE, SIGNAL_GENERATION
from flows.processes import wait_until
from portfolio.status import started_status, status_folder, write_status
from portfolio.store.connection import open_reader
from portfolio.store.signals import read_signal
from tests.support.command import environment
from tests.support.flow_forks import forking_flows
from tests.support.prefect_server import prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.flow_forks import Fork
    from tests.support.prefect_server import Prefect

MORNING = "2018-06-29T07:30:00+02:00"
PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class House:
    """A server, a folder with its settings, and a way to do what the server has scheduled."""

    prefect: Prefect
    folder: Path
    fork: Fork

    def start_up(self, as_of: str) -> None:
        assert self.fork(as_of=as_of)[0] == 0

    def do(self, flow: str, **parameters: Any) -> dict[str, Any]:
        """Do one run of a flow that somebody asks for, and return it as Prefect tells it."""
        return self.done(self.prefect.create(flow, **parameters))

    def do_waiting(self, flow: str) -> list[dict[str, Any]]:
        return [self.done(run) for run in self.prefect.waiting(flow)]

    def done(self, run: str) -> dict[str, Any]:
        self.fork(flow_run=run)
        return self.prefect.ask("/flow_runs/filter", flow_runs={"id": {"any_": [run]}})[0]

    def artifact(self, key: str) -> dict[str, Any]:
        return self.prefect.ask("/artifacts/latest/filter", artifacts={"key": {"any_": [key]}})[0]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def house(prefect, tmp_path_factory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    settings = {"DATA_DIR": str(folder / "data"), "PORTFOLIO_STARTS": "2", **prefect.variables}
    with forking_flows(folder, environment(folder, settings)) as fork:
        house = House(prefect, folder, fork)
        house.start_up("2018-06-29T05:00:00+02:00")
        yield house


def test_first_start_fetches_the_history_and_decides_nothing_before_its_time(house):
    [update] = house.do_waiting(DATA_UPDATE)
    assert update["state"]["message"].endswith("decisions started: none")
    assert house.prefect.waiting(SIGNAL_GENERATION) == []


def test_update_starts_the_decision_of_the_session_that_opens_today(house):
    update = house.do(DATA_UPDATE, as_of=MORNING)
    [signal] = house.do_waiting(SIGNAL_GENERATION)

    assert (update["state_type"], update["state_name"]) == ("COMPLETED", "Completed")
    assert update["name"] == "data-update 2018-06-29 done"
    assert (signal["state_type"], signal["state_name"]) == ("COMPLETED", "Completed")
    assert signal["name"] == "signal-generation 2018-06-29 done"
    with open_reader(house.folder / "data/sample/portfolio.duckdb", "sample") as store:
        row = read_signal(store)
    assert row is not None
    assert (str(row.session), row.decision) == ("2018-06-29", "TARGET")


def test_decision_is_shown_in_prefect_with_weights_orders_findings_and_its_page(house):
    with open_reader(house.folder / "data/sample/portfolio.duckdb", "sample") as store:
        row = read_signal(store)
    assert row is not None
    answer = json.loads(row.answer)
    weights = {row["line"]: row["weight %"] for row in json.loads(house.artifact("weights")["data"])}
    assert weights == {line: round(weight * 100, 2) for line, weight in answer["weights"].items()}
    assert {row["side"] for row in json.loads(house.artifact("orders")["data"])} <= {"BUY", "SELL"}
    text = house.artifact("decision")["data"]
    assert text.startswith("*Sample data")
    assert all(reason.replace("<", "&lt;") in text for reason in answer["reasons"])
    assert (house.folder / "data/sample/report/index.html").as_uri() in house.artifact("page")["data"]


def test_second_try_of_a_morning_is_skipped_when_the_session_has_its_target(house):
    second = house.do(DATA_UPDATE, as_of="2018-06-29T08:15:00+02:00", only_if_undecided=True)
    assert (second["state_type"], second["state_name"]) == ("COMPLETED", "Skipped")
    assert house.prefect.waiting(SIGNAL_GENERATION) == []


def test_update_is_skipped_on_a_day_without_session(house):
    holiday = house.do(DATA_UPDATE, as_of="2018-06-30T07:30:00+02:00")
    assert (holiday["state_type"], holiday["state_name"]) == ("COMPLETED", "Skipped")
    assert "2018-07-02" in holiday["state"]["message"]


def test_sessions_nobody_decided_are_made_up_in_their_order_once(house):
    update = house.do(DATA_UPDATE, as_of="2018-07-05T13:00:00+02:00")
    made_up = []
    while waiting := house.do_waiting(SIGNAL_GENERATION):
        made_up += waiting
    assert "2018-07-02, 2018-07-03, 2018-07-04, 2018-07-05" in update["state"]["message"]
    names = [run["name"] for run in made_up]
    assert names == [f"signal-generation 2018-07-0{day} done" for day in (2, 3, 4, 5)]
    with open_reader(house.folder / "data/sample/portfolio.duckdb", "sample") as store:
        row = read_signal(store)
        assert row is not None
        rules = [finding["rule"] for finding in json.loads(row.answer)["data"]["findings"]]
    assert "made-up" in rules
    again = house.do(DATA_UPDATE, as_of="2018-07-05T14:00:00+02:00")
    assert again["state"]["message"].endswith("decisions started: none")


def test_day_blocked_by_its_data_ends_as_hold_neither_failed_nor_plainly_completed(house):
    hold = house.do(SIGNAL_GENERATION, as_of="2018-07-13T07:30:00+02:00")
    assert (hold["state_type"], hold["state_name"]) == ("COMPLETED", "Hold")
    assert hold["name"] == "signal-generation 2018-07-13 hold"
    assert hold["state"]["message"].startswith("HOLD for session 2018-07-13")


def test_second_try_says_that_it_is_too_late_when_the_session_has_opened_on_hold(house):
    second = house.do(DATA_UPDATE, as_of="2018-07-13T09:05:00+02:00", only_if_undecided=True)
    assert second["state_name"] == "Skipped"
    assert second["state"]["message"] == "too late to try again: 2018-07-13 has opened, its decision is HOLD"


def test_run_that_leaves_its_work_to_another_leaves_that_ones_status_too(house):
    folder = status_folder(house.folder / "data/sample")
    running = started_status(
        DATA_UPDATE, "another", date(2018, 6, 29), datetime.now(UTC), "1.0.0"
    )  # this process lives
    written = write_status(folder, running).read_text("utf-8")
    holiday = house.do(DATA_UPDATE, as_of="2018-06-30T07:30:00+02:00")
    assert holiday["state_name"] == "Skipped"
    assert (folder / "data-update.json").read_text("utf-8") == written


def test_backup_is_made_and_shown(house):
    made = house.do(BACKUP)
    assert (made["state_type"], made["state_name"]) == ("COMPLETED", "Completed")
    facts = {row["what"]: row["value"] for row in json.loads(house.artifact("backup")["data"])}
    assert facts["verified"] == "True"
    assert facts["path"] == made["state"]["message"]


def by_schedule(house: House, flow: str) -> list[str]:
    """When the schedule has runs; Prefect's scheduler makes them some seconds after a registration."""
    return [run["expected_start_time"] for run in house.prefect.runs(flow, "SCHEDULED") if run["auto_scheduled"]]


def test_schedules_give_runs_on_the_queue_at_their_paris_times(house):
    """A server with a SQLAlchemy it does not know looks healthy and schedules nothing."""
    assert wait_until(lambda: len(by_schedule(house, DATA_UPDATE)) >= 6, 60)
    local = [datetime.fromisoformat(due).astimezone(PARIS) for due in by_schedule(house, DATA_UPDATE)]
    assert {f"{instant:%H:%M}" for instant in local} == {"07:30", "08:15"}
    assert all(instant.isoweekday() <= 5 for instant in local)
    nights = house.prefect.runs(BACKUP, "SCHEDULED")
    assert {run["work_queue_name"] for run in nights} == {"test"}
    assert {datetime.fromisoformat(run["expected_start_time"]).astimezone(PARIS).hour for run in nights} == {22}


def test_registering_again_changes_nothing_and_removes_what_is_gone(house):
    before = house.prefect.deployments()
    ours = before[BACKUP]
    house.prefect.ask(
        "/deployments/", name="of-an-older-release", flow_id=ours["flow_id"], tags=ours["tags"], entrypoint="gone.gone"
    )
    scheduled = by_schedule(house, DATA_UPDATE)
    house.start_up("2018-07-13T07:00:00+02:00")
    after = house.prefect.deployments()
    assert {name: item["id"] for name, item in after.items()} == {name: item["id"] for name, item in before.items()}
    assert len(house.prefect.ask("/deployments/filter", deployments={"name": {"any_": ["of-an-older-release"]}})) == 0
    assert wait_until(lambda: by_schedule(house, DATA_UPDATE) == scheduled, 60)


def test_run_whose_process_was_killed_is_closed_and_its_session_decided_after_a_start(house):
    run = house.prefect.create(DATA_UPDATE, as_of="2018-07-16T07:30:00+02:00")
    assert house.fork(flow_run=run, kill_after_s=0.6)[0] == -9
    assert house.prefect.runs(DATA_UPDATE, "RUNNING", "PENDING")
    house.start_up("2018-07-16T07:40:00+02:00")
    assert not house.prefect.runs(DATA_UPDATE, "RUNNING", "PENDING")
    [update] = house.do_waiting(DATA_UPDATE)
    assert update["state_name"] == "Completed"
    decided = []
    while waiting := house.do_waiting(SIGNAL_GENERATION):
        decided += waiting
    assert decided[-1]["name"] == "signal-generation 2018-07-16 done"


def test_second_try_is_made_when_the_first_left_no_page(house):
    report = house.folder / "data/sample/report"
    shutil.rmtree(report)
    report.write_text("a file where the page's folder should be")
    house.do(DATA_UPDATE, as_of="2018-07-17T07:30:00+02:00")
    [first] = house.do_waiting(SIGNAL_GENERATION)
    assert first["state_type"] == "FAILED"
    report.unlink()
    second = house.do(DATA_UPDATE, as_of="2018-07-17T08:15:00+02:00", only_if_undecided=True)
    [again] = house.do_waiting(SIGNAL_GENERATION)
    assert (second["state_name"], again["state_name"]) == ("Completed", "Completed")
    assert (report / "index.html").exists()


def test_runs_whose_time_passed_without_a_worker_are_made_up_by_one_of_each(house):
    with closing(sqlite3.connect(house.prefect.home / "prefect.db", timeout=30)) as database, database:
        nine_days_ago = "datetime({0}, '-9 days')"
        for column in ("expected_start_time", "next_scheduled_start_time"):
            database.execute(f"UPDATE flow_run SET {column} = {nine_days_ago.format(column)} WHERE auto_scheduled")  # noqa: S608  # no input
    assert len(house.prefect.waiting(DATA_UPDATE)) >= 4
    house.start_up("2018-07-17T08:20:00+02:00")
    assert len(house.prefect.waiting(DATA_UPDATE)) == 1
    assert len(house.prefect.waiting(BACKUP)) == 1


def test_decision_says_that_it_was_made_up_when_its_update_took_past_the_open(house):
    house.do(SIGNAL_GENERATION, as_of="2018-07-18T07:30:00+02:00", late_s=7200.0)
    with open_reader(house.folder / "data/sample/portfolio.duckdb", "sample") as store:
        row = read_signal(store)
    assert row is not None
    assert row.session == date(2018, 7, 18)
    assert "made-up" in {finding["rule"] for finding in json.loads(row.answer)["data"]["findings"]}
