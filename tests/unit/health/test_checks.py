"""The verdicts, from drawn facts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portfolio.health.checks import (
    Check,
    Status,
    check_disk,
    check_findings,
    check_live,
    check_macro,
    check_model,
    check_orders,
    check_prices,
    check_runs,
    check_signal,
)
from portfolio.health.checks import worst as worst_of
from portfolio.health.expected import Calendars
from portfolio.store.journal import Run
from portfolio.store.migrate import create_store
from portfolio.store.orders import OrdersRow
from portfolio.store.signals import SignalRow
from portfolio.universe import read_universe

UNIVERSE = read_universe()
DAYS = [date(2024, 3, day) for day in (18, 19, 20, 21, 22, 25, 26)]
NOW = datetime(2024, 3, 25, 9, 0, tzinfo=UTC)  # Monday, an hour after the open
SESSIONS = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in DAYS]
CALENDARS = Calendars({"XPAR": SESSIONS, "XNYS": SESSIONS}, NOW)
FRIDAY, MONDAY = date(2024, 3, 22), date(2024, 3, 25)


def signal(session: date, decision: str = "TARGET", findings: tuple[dict[str, str], ...] = ()) -> SignalRow:
    answer = json.dumps({"data": {"findings": list(findings)}})
    return SignalRow(session, 1, NOW, NOW, FRIDAY, "run", decision, None, 1, None, None, "", answer, "{}")


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (signal(MONDAY), Status.HEALTHY),
        (signal(date(2024, 3, 26)), Status.HEALTHY),  # decided ahead of its open
        (signal(MONDAY, "HOLD"), Status.DEGRADED),
        (signal(FRIDAY), Status.DEGRADED),  # one session missed
        (signal(date(2024, 3, 21)), Status.UNHEALTHY),
        (None, Status.UNHEALTHY),
    ],
)
def test_signal_is_as_well_as_it_is_recent(row, status):
    check = check_signal(CALENDARS, row)
    assert check.status is status
    assert bool(check.to_do) == (status is not Status.HEALTHY)


def test_signal_is_unhealthy_when_the_stored_calendar_has_ended_however_recent_it_looks():
    later = Calendars({"XPAR": SESSIONS, "XNYS": SESSIONS}, datetime(2024, 9, 1, tzinfo=UTC))
    check = check_signal(later, signal(DAYS[-1]))
    assert check.status is Status.UNHEALTHY
    assert "calendar ended on 2024-03-26" in check.seen


@pytest.mark.parametrize(
    ("late", "status", "told"),
    [
        ({}, Status.HEALTHY, "newest 2024-03-22"),
        ({"WPEA.PA": date(2024, 3, 20)}, Status.DEGRADED, "WPEA.PA 2 session(s) behind"),
        ({"^GSPC": date(2024, 3, 21)}, Status.DEGRADED, "^GSPC 1 session(s) behind"),
        ({"^NDX": date(2024, 3, 19)}, Status.UNHEALTHY, "^NDX 3 session(s) behind"),
    ],
)
def test_prices_are_as_well_as_the_drivers_are_fresh(late, status, told):
    newest = dict.fromkeys(UNIVERSE.exchanges, FRIDAY) | late
    check = check_prices(CALENDARS, newest, UNIVERSE)
    assert check.status is status
    assert told in check.seen


def test_prices_are_unhealthy_when_a_driver_was_never_stored_and_only_told_for_a_line():
    newest = dict.fromkeys(UNIVERSE.exchanges, FRIDAY)
    without_line = {symbol: day for symbol, day in newest.items() if symbol != "PAEEM.PA"}
    without_driver = {symbol: day for symbol, day in newest.items() if symbol != "^NDX"}
    assert check_prices(CALENDARS, without_line, UNIVERSE).status is Status.HEALTHY
    assert "no series for PAEEM.PA" in check_prices(CALENDARS, without_line, UNIVERSE).seen
    assert check_prices(CALENDARS, without_driver, UNIVERSE).status is Status.UNHEALTHY


def test_macro_is_degraded_only_when_later_than_it_may_be_carried():
    long = [date(2024, 3, day) for day in (11, 12, 13, 14, 15)] + DAYS
    sessions = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in long]
    calendars = Calendars({"XPAR": sessions, "XNYS": sessions}, NOW)
    assert check_macro(calendars, {"VIXCLS": date(2024, 3, 15)}, UNIVERSE).status is Status.HEALTHY  # five behind
    assert check_macro(calendars, {"VIXCLS": date(2024, 3, 14)}, UNIVERSE).status is Status.DEGRADED  # six
    assert check_macro(calendars, {}, UNIVERSE).status is Status.HEALTHY  # optional: none is fine


def test_findings_degrade_when_one_is_an_error_and_name_it():
    error = {"severity": "error", "message": "^NDX: the newest close is missing."}
    check = check_findings(signal(MONDAY, "HOLD", ({"severity": "warning", "message": "x"}, error)))[0]
    assert (check.status, check.to_do) == (Status.DEGRADED, f"first: {error['message']}")
    assert check_findings(signal(MONDAY))[0].status is Status.HEALTHY
    assert check_findings(None) == ()


def run(command: str, outcome: str | None, minute: int) -> Run:
    started = NOW.replace(minute=minute)
    return Run(f"r{minute}", command, MONDAY, started, "0.1.0", "sample", 1, started, outcome, 0, 0, 0, "{}")


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([], Status.DEGRADED),
        ([run("run", "done", 1)], Status.HEALTHY),
        ([run("run", "hold", 1)], Status.HEALTHY),  # the signal's own check tells of a HOLD
        ([run("run", "failed", 1)], Status.DEGRADED),
        ([run("ledger", "done", 2), run("run", "failed", 1)], Status.DEGRADED),  # another command makes up for nothing
        ([run("run", "done", 2), run("orders", "failed", 1)], Status.HEALTHY),  # the whole day does
        ([run("orders", "done", 2), run("orders", "refused", 1)], Status.HEALTHY),
    ],
)
def test_runs_are_well_when_no_failure_is_left_to_make_up_for(runs, status):
    assert check_runs(runs, interrupted=False).status is status


def test_runs_are_degraded_when_one_has_no_end_or_a_writer_was_killed():
    goes_on = replace(run("run", None, 2), finished_at=None)
    assert check_runs([goes_on, run("run", "done", 1)], interrupted=False).status is Status.DEGRADED
    assert check_runs([run("run", "done", 1)], interrupted=True).status is Status.DEGRADED


def test_orders_are_missed_when_they_are_of_another_decision():
    planned = OrdersRow(MONDAY, 1, 1, "run", NOW, "", "{}")
    assert check_orders(signal(MONDAY), planned)[0].status is Status.HEALTHY
    assert check_orders(replace(signal(MONDAY), revision=2), planned)[0].status is Status.DEGRADED
    assert check_orders(signal(FRIDAY), planned)[0].status is Status.DEGRADED
    assert check_orders(signal(MONDAY), None)[0].status is Status.DEGRADED
    assert check_orders(None, None) == ()


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (replace(signal(MONDAY), model_id="hmm-1"), Status.HEALTHY),
        (signal(MONDAY), Status.DEGRADED),  # the neutral table decides
        (signal(MONDAY, "HOLD"), Status.HEALTHY),
        (replace(signal(MONDAY, findings=({"rule": "champion-old"},)), model_id="hmm-1"), Status.DEGRADED),
        (replace(signal(MONDAY, findings=({"rule": "model-override"},)), model_id="hmm-1"), Status.DEGRADED),
    ],
)
def test_model_is_well_when_it_is_trusted_and_not_old(row, status):
    assert check_model(row)[0].status is status


def test_disk_is_looked_at_where_the_store_is_or_will_be(tmp_path):
    check = check_disk(tmp_path / "not" / "there" / "yet.duckdb")
    assert "GB free" in check.seen


def test_live_store_is_unhealthy_when_it_is_gone_or_no_duckdb_file(tmp_path):
    path = tmp_path / "portfolio.duckdb"
    assert check_live(path).status is Status.UNHEALTHY
    path.write_bytes(b"not a database at all")
    assert check_live(path).status is Status.UNHEALTHY
    path.unlink()
    create_store(path, "sample")
    assert check_live(path).status is Status.HEALTHY


def test_whole_is_as_well_as_its_worst_check_and_never_well_without_any():
    good, bad = Check("a", Status.HEALTHY, ""), Check("b", Status.DEGRADED, "")
    assert worst_of((good,)) is Status.HEALTHY
    assert worst_of((good, bad)) is Status.DEGRADED
    assert worst_of(()) is Status.UNHEALTHY
