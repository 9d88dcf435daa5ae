"""What is said of the newest decision, from drawn facts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portfolio.health.decision import check_findings, check_model, check_orders, check_signal, is_decided, is_overdue
from portfolio.health.expected import Calendars
from portfolio.health.verdict import Status
from portfolio.store.orders import OrdersRow
from portfolio.store.signals import SignalRow

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


def test_signal_is_unhealthy_when_flows_left_out_a_session_that_a_person_may_leave_out():
    assert check_signal(CALENDARS, signal(FRIDAY), unattended=True).status is Status.UNHEALTHY
    assert check_signal(CALENDARS, signal(MONDAY), unattended=True).status is Status.HEALTHY


def test_session_is_decided_when_the_newest_decision_is_not_older_than_the_newest_open():
    assert is_decided(CALENDARS, signal(MONDAY, "HOLD"))
    assert not is_decided(CALENDARS, signal(FRIDAY))
    assert not is_decided(CALENDARS, None)
    later = Calendars({"XPAR": SESSIONS}, datetime(2024, 9, 1, tzinfo=UTC))
    assert not is_decided(later, signal(DAYS[-1]))


def test_findings_degrade_when_one_is_an_error_and_name_it():
    error = {"severity": "error", "message": "^NDX: the newest close is missing."}
    check = check_findings(signal(MONDAY, "HOLD", ({"severity": "warning", "message": "x"}, error)))[0]
    assert (check.status, check.to_do) == (Status.DEGRADED, f"first: {error['message']}")
    assert check_findings(signal(MONDAY))[0].status is Status.HEALTHY
    assert check_findings(None) == ()


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


@pytest.mark.parametrize(
    ("now", "row", "overdue"),
    [
        (datetime(2024, 3, 25, 7, 29, tzinfo=UTC), signal(FRIDAY), False),  # 08:29 in Paris, its hour not over yet
        (datetime(2024, 3, 25, 7, 30, tzinfo=UTC), signal(FRIDAY), True),
        (datetime(2024, 3, 25, 7, 30, tzinfo=UTC), signal(MONDAY), False),
        (datetime(2024, 3, 25, 7, 30, tzinfo=UTC), signal(MONDAY, "HOLD"), False),
        (datetime(2024, 3, 25, 7, 30, tzinfo=UTC), None, True),
        (datetime(2024, 3, 23, 12, 0, tzinfo=UTC), signal(FRIDAY), False),  # a weekend asks for nothing
        (datetime(2024, 3, 24, 12, 0, tzinfo=UTC), signal(date(2024, 3, 21)), True),  # Friday's is still missing
        (datetime(2024, 9, 2, 12, 0, tzinfo=UTC), signal(DAYS[-1]), True),  # the stored calendar has ended
    ],
)
def test_session_is_overdue_when_its_deadline_passes_without_a_decision(now, row, overdue):
    calendars = Calendars({"XPAR": SESSIONS, "XNYS": SESSIONS}, now)
    assert is_overdue(calendars, row, "07:30") is overdue
