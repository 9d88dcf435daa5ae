"""What is said of the flows, from real status files."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from flows.names import BACKUP, DATA_UPDATE, SIGNAL_GENERATION
from portfolio.health.expected import Calendars
from portfolio.health.flows import FLOWS, check_flows, read_flows
from portfolio.health.verdict import Check, Status
from portfolio.status import Outcome, ended_status, started_status, status_folder, write_status
from tests.support.days import settings_in

DAYS = [date(2024, 3, day) for day in (20, 21, 22, 25, 26, 27)]
SESSIONS = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in DAYS]
MONDAY_AT_SEVEN = datetime(2024, 3, 25, 6, 0, tzinfo=UTC)
MORNING = datetime(2024, 3, 25, 6, 30, tzinfo=UTC)  # Monday 07:30 in Paris
NIGHT = datetime(2024, 3, 24, 21, 15, tzinfo=UTC)  # Sunday 22:15 in Paris
NOON = datetime(2024, 3, 25, 11, 0, tzinfo=UTC)


def leave(folder, flow: str, outcome: Outcome, started_at: datetime, reason: str = "") -> None:
    begun = started_status(flow, "run", None, started_at, "0.2.0")
    ended = ended_status(begun, outcome, started_at + timedelta(minutes=1), 0, reason)
    write_status(status_folder(folder / "sample"), begun if outcome == "running" else ended)


def leave_all(folder, **others: tuple[Outcome, datetime]) -> None:
    good: dict[str, tuple[Outcome, datetime]] = {
        "data_update": ("done", MORNING),
        "signal_generation": ("done", MORNING),
        "backup": ("done", NIGHT),
    }
    for name, (outcome, started_at) in (good | others).items():
        leave(folder, name.replace("_", "-"), outcome, started_at, "what went wrong")


def checks(folder, now: datetime = NOON, *, calendars: bool = True) -> dict[str, Check]:
    settings = settings_in(folder)
    known = Calendars({"XPAR": SESSIONS}, now) if calendars else None
    return {check.name: check for check in check_flows(read_flows(settings.state_dir), settings, known, now)}


def test_flows_are_none_and_well_when_nobody_uses_them(tmp_path):
    told = checks(tmp_path)
    assert told == {"flows": Check("flows", Status.HEALTHY, "no flows: `make up` runs them each session morning")}


def test_flows_are_well_when_each_ended_well_in_its_time(tmp_path):
    leave_all(tmp_path)
    told = checks(tmp_path)
    assert list(told) == ["data-update", "signal-generation", "backup"]
    assert {check.status for check in told.values()} == {Status.HEALTHY}
    assert told["data-update"].seen == "done, started 2024-03-25 06:30 UTC"


@pytest.mark.parametrize("outcome", ["hold", "skipped"])
def test_flow_is_well_when_it_ended_in(tmp_path, outcome):
    leave_all(tmp_path, signal_generation=(outcome, MORNING))
    assert checks(tmp_path)["signal-generation"].status is Status.HEALTHY


@pytest.mark.parametrize("outcome", ["failed", "refused", "busy"])
def test_flow_is_degraded_and_tells_its_reason_when_it_ended_as(tmp_path, outcome):
    leave_all(tmp_path, data_update=(outcome, MORNING))
    check = checks(tmp_path)["data-update"]
    assert check.status is Status.DEGRADED
    assert check.seen == f"{outcome}, started 2024-03-25 06:30 UTC: what went wrong"
    assert check.to_do


def test_flow_is_degraded_when_it_is_half_an_hour_overdue(tmp_path):
    friday = MORNING - timedelta(days=3)
    leave_all(tmp_path, data_update=("done", friday))
    at_eight = datetime(2024, 3, 25, 7, 0, tzinfo=UTC)
    assert checks(tmp_path, at_eight - timedelta(seconds=1))["data-update"].status is Status.HEALTHY
    late = checks(tmp_path, at_eight)["data-update"]
    assert late.status is Status.DEGRADED
    assert late.seen == "done, started 2024-03-22 06:30 UTC; it was due at 2024-03-25 06:30 UTC"
    assert "make up" in late.to_do


def test_backup_is_degraded_when_it_left_a_night_out_even_while_the_store_does_not_open(tmp_path):
    leave_all(tmp_path, backup=("done", NIGHT - timedelta(days=1)))
    assert checks(tmp_path, calendars=False)["backup"].status is Status.DEGRADED
    assert checks(tmp_path, calendars=False)["data-update"].status is Status.HEALTHY  # nobody knows when it was due


def test_signal_flow_is_never_overdue_because_an_update_starts_it(tmp_path):
    leave_all(tmp_path, signal_generation=("done", MORNING - timedelta(days=5)))
    assert checks(tmp_path)["signal-generation"].status is Status.HEALTHY


def test_flow_that_never_ran_is_degraded_only_when_it_was_due_since_flows_are_used(tmp_path):
    leave(tmp_path, "backup", "done", NIGHT)
    assert checks(tmp_path, MONDAY_AT_SEVEN)["data-update"] == Check("data-update", Status.HEALTHY, "has not run yet")
    missed = checks(tmp_path, NOON)["data-update"]
    assert (missed.status, missed.seen) == (Status.DEGRADED, "never ran; it was due at 2024-03-25 06:30 UTC")


def test_flows_are_looked_for_when_prefect_was_started_and_none_ever_ran(tmp_path):
    prefect = settings_in(tmp_path).state_dir / "prefect"
    prefect.mkdir(parents=True)
    os.utime(prefect, (NIGHT.timestamp(), NIGHT.timestamp()))
    assert checks(tmp_path)["data-update"].status is Status.DEGRADED
    assert checks(tmp_path)["signal-generation"].seen == "has not run yet"


def test_running_flow_is_well_until_it_hangs(tmp_path):
    leave_all(tmp_path, data_update=("running", MORNING))
    assert checks(tmp_path, MORNING + timedelta(hours=2))["data-update"].status is Status.HEALTHY
    hanging = checks(tmp_path, MORNING + timedelta(hours=2, seconds=1))["data-update"]
    assert hanging.status is Status.DEGRADED
    assert str(os.getpid()) in hanging.to_do


def test_running_flow_is_degraded_when_its_process_has_gone(tmp_path):
    leave_all(tmp_path)
    begun = started_status("data-update", "run", None, MORNING, "0.2.0")
    write_status(status_folder(tmp_path / "sample"), replace(begun, pid=2**30))
    check = checks(tmp_path, MORNING)["data-update"]
    assert (check.status, "was interrupted" in check.seen) == (Status.DEGRADED, True)


def test_flow_with_a_damaged_status_file_is_degraded_and_the_others_are_looked_at(tmp_path):
    leave_all(tmp_path)
    (status_folder(tmp_path / "sample") / "backup.json").write_text("{")
    told = checks(tmp_path)
    assert told["backup"].status is Status.DEGRADED
    assert "backup.json is no status of ours" in told["backup"].seen
    assert told["data-update"].status is Status.HEALTHY


def test_flow_of_another_release_is_looked_at_too(tmp_path):
    leave_all(tmp_path, weekly_report=("failed", MORNING))
    assert checks(tmp_path)["weekly-report"].status is Status.DEGRADED


def test_flows_that_are_looked_for_are_those_that_exist():
    assert set(FLOWS) == {DATA_UPDATE, SIGNAL_GENERATION, BACKUP}


def test_long_reason_is_shown_cut_on_one_line(tmp_path):
    leave(tmp_path, "data-update", "failed", MORNING, "no\nroom " * 200)
    seen = checks(tmp_path)["data-update"].seen
    assert ": no room no room" in seen
    assert len(seen) < 400
