"""`portfolio deadman` as its timer runs it: exit code, words, and what the dead-man's switch is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from portfolio.status import ended_status, started_status, status_folder, write_status
from tests.support.command import document, portfolio
from tests.support.pings import switch


def leave_update(folder, started_at):
    begun = started_status("data-update", "run", None, started_at, "1.0.0")
    write_status(status_folder(folder / "sample"), ended_status(begun, "done", started_at, 0))


def test_deadman_fails_and_tells_the_switch_when_flows_ran_and_left_nothing_readable(tmp_path):
    leave_update(tmp_path, datetime.now(UTC) - timedelta(days=1))
    with switch() as service:
        ended = portfolio(tmp_path, "deadman", settings={"DATA_DIR": str(tmp_path), **service.settings})
    assert ended.returncode == 1
    assert ended.stdout.startswith("silent: flows run since")
    assert service.signals == ["fail"]
    assert service.pings[0].body.startswith("silent: flows run since")
    assert str(tmp_path) not in service.pings[0].body


def test_deadman_marks_its_line_as_an_error_for_the_journal(tmp_path):
    leave_update(tmp_path, datetime.now(UTC) - timedelta(days=1))
    ended = portfolio(tmp_path, "deadman", "--journal", settings={"DATA_DIR": str(tmp_path)})
    assert ended.stdout.startswith("<3>silent: ")


def test_deadman_tells_nobody_when_the_daemon_has_just_begun(tmp_path):
    leave_update(tmp_path, datetime.now(UTC))
    with switch() as service:
        ended = portfolio(tmp_path, "deadman", "--json", settings={"DATA_DIR": str(tmp_path), **service.settings})
    assert (ended.returncode, document(ended)) == (0, {"silent": False, "reasons": []})
    assert service.signals == []
