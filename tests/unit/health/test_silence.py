"""When a daemon counts as silent: drawn calendars and status files, and the wall clock as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from portfolio.errors import StoreError
from portfolio.health.expected import Calendars
from portfolio.health.silence import FIRST_RUN, silences
from portfolio.status import ended_status, started_status, status_folder, write_status
from tests.support.days import paris, settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.health.published import Published
    from portfolio.status import Outcome

DAYS = ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-06")  # Monday to Friday, Thursday drawn as a holiday
SESSIONS = {"XPAR": [(datetime.fromisoformat(day).date(), paris(f"{day} 09:00")) for day in DAYS]}


def published(decided_for: str | None) -> Published:
    """What the published copy tells: the drawn calendars, and a decision or none."""
    signal = SimpleNamespace(session=datetime.fromisoformat(decided_for).date()) if decided_for else None
    copy = SimpleNamespace(signal=signal, calendars=lambda now: Calendars(SESSIONS, now))
    return cast("Published", copy)


def leave(folder: Path, flow: str, started: str, outcome: Outcome = "done") -> None:
    begun = started_status(flow, "run", None, paris(started), "1.0.0")
    status = begun if outcome == "running" else ended_status(begun, outcome, paris(started), 0)
    write_status(status_folder(settings_in(folder).state_dir), status)


def told(folder: Path, now: str, decided_for: str | None = "2026-03-03") -> tuple[str, ...]:
    return silences(settings_in(folder), published(decided_for), paris(now))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A daemon that did what was due by Tuesday morning."""
    leave(tmp_path, "data-update", "2026-03-03 07:30")
    leave(tmp_path, "backup", "2026-03-02 22:15")
    return tmp_path


def test_daemon_is_not_silent_when_all_that_was_due_has_run(folder):
    assert told(folder, "2026-03-03 12:00") == ()


def test_daemon_is_silent_when_the_update_stays_out(folder):
    leave(folder, "backup", "2026-03-03 22:15")
    assert told(folder, "2026-03-04 07:50") == ()
    assert told(folder, "2026-03-04 08:05") == ("data-update was due at 2026-03-04 06:30 UTC and did not run",)


def test_daemon_is_silent_when_a_session_has_no_decision_although_the_update_ran(folder):
    assert told(folder, "2026-03-03 12:00", "2026-03-02") == (
        "a session has no decision: the newest is for 2026-03-02",
    )


def test_daemon_is_silent_when_the_nightly_backup_stays_out(folder):
    assert told(folder, "2026-03-03 22:50") == ("backup was due at 2026-03-03 21:15 UTC and did not run",)


def test_daemon_is_silent_when_a_run_was_killed_or_hangs(folder):
    leave(folder, "data-update", "2026-03-03 07:30", "running")
    assert told(folder, "2026-03-03 09:00") == ()
    assert told(folder, "2026-03-03 10:00") == ("data-update began at 2026-03-03 06:30 UTC and never ended",)


def test_run_that_failed_is_no_silence_since_it_told_so_itself(folder):
    leave(folder, "data-update", "2026-03-03 07:30", "failed")
    assert told(folder, "2026-03-03 12:00") == ()


def test_holiday_is_no_silence(folder):
    leave(folder, "data-update", "2026-03-04 07:30")
    leave(folder, "backup", "2026-03-04 22:15")
    assert told(folder, "2026-03-05 12:00", "2026-03-04") == ()


@pytest.mark.parametrize(("age", "silent"), [(FIRST_RUN - timedelta(minutes=1), False), (FIRST_RUN, True)])
def test_new_host_has_two_hours_for_its_first_run(tmp_path, age, silent):
    now = datetime(2026, 3, 3, 12, tzinfo=UTC)
    why = silences(settings_in(tmp_path), StoreError("no store"), now, now - age)
    assert bool(why) is silent


def test_folder_of_a_development_tree_is_never_silent(tmp_path):
    assert silences(settings_in(tmp_path), StoreError("no store"), datetime(2026, 3, 3, 12, tzinfo=UTC)) == ()


def test_daemon_is_silent_when_nothing_readable_is_published(folder):
    why = silences(settings_in(folder), StoreError("damaged"), paris("2026-03-03 12:00"))
    assert why == ("flows run since 2026-03-02 21:15 UTC, and nothing readable is published",)
