"""Status files: what a flow leaves behind, whatever became of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from portfolio.status import Status, ended_status, read_statuses, started_status, status_folder, write_status

BEGUN = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
RUNNING = started_status("data-update", "run-1", date(2026, 3, 2), BEGUN, "0.2.0")
DONE = ended_status(RUNNING, "hold", BEGUN + timedelta(minutes=1), 3, "stale-price")


@pytest.mark.parametrize("status", [RUNNING, DONE, replace(RUNNING, session=None)])
def test_status_is_read_as_it_was_written(tmp_path, status):
    folder = status_folder(tmp_path)
    assert write_status(folder, status) == tmp_path / "status" / "data-update.json"
    assert read_statuses(folder) == (status,)


def test_status_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it(tmp_path):
    write_status(tmp_path, RUNNING)
    path = write_status(tmp_path, DONE)
    write_status(tmp_path, replace(DONE, flow="backup"))
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["backup.json", "data-update.json"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert json.loads(path.read_text("utf-8"))["outcome"] == "hold"


def test_status_stays_as_it_was_when_the_new_one_cannot_take_its_place(tmp_path):
    write_status(tmp_path, RUNNING)
    (tmp_path / "backup.json").mkdir()  # no file takes a folder's place
    with pytest.raises(IsADirectoryError):
        write_status(tmp_path, replace(DONE, flow="backup"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.json", "data-update.json"]


def test_status_instants_are_utc_in_the_file_wherever_they_were_taken(tmp_path):
    paris = timezone(timedelta(hours=1))
    path = write_status(tmp_path, replace(RUNNING, started_at=BEGUN.astimezone(paris)))
    assert json.loads(path.read_text("utf-8"))["started_at"] == "2026-03-02T06:30:00+00:00"


def test_status_is_refused_when_an_instant_is_naive_or_the_name_leaves_the_folder(tmp_path):
    with pytest.raises(ValueError, match="has no time zone"):
        write_status(tmp_path, replace(RUNNING, started_at=BEGUN.replace(tzinfo=None)))
    with pytest.raises(ValueError, match="lower-case letters"):
        write_status(tmp_path, replace(RUNNING, flow="../data-update"))
    assert list(tmp_path.iterdir()) == []


def test_status_keeps_a_few_sentences_of_a_long_reason(tmp_path):
    write_status(tmp_path, replace(DONE, reason="x" * 100_000))
    assert len(read_statuses(tmp_path)[0].reason) == 2000


def test_last_success_stays_told_while_later_runs_go_on_or_fail(tmp_path):
    write_status(tmp_path, DONE)
    write_status(tmp_path, replace(RUNNING, started_at=BEGUN + timedelta(days=1)))
    assert read_statuses(tmp_path)[0].last_success_at == DONE.finished_at
    write_status(tmp_path, ended_status(RUNNING, "failed", BEGUN + timedelta(days=1, minutes=2), 1, "no room"))
    (failed,) = read_statuses(tmp_path)
    assert (failed.outcome, failed.last_success_at) == ("failed", DONE.finished_at)


@pytest.mark.parametrize(
    ("outcome", "succeeds"),
    [("done", True), ("hold", True), ("skipped", True), ("failed", False), ("refused", False), ("busy", False)],
)
def test_last_success_is_the_newest_end_that_was_an_answer(tmp_path, outcome, succeeds):
    write_status(tmp_path, DONE)
    later = BEGUN + timedelta(days=1)
    write_status(tmp_path, ended_status(RUNNING, outcome, later, 0))
    assert (read_statuses(tmp_path)[0].last_success_at == later) is succeeds


def test_last_success_is_unknown_when_no_run_ended_well_or_the_file_was_damaged(tmp_path):
    write_status(tmp_path, ended_status(RUNNING, "failed", BEGUN, 1))
    assert read_statuses(tmp_path)[0].last_success_at is None
    (tmp_path / "data-update.json").write_text("{")
    write_status(tmp_path, RUNNING)
    assert read_statuses(tmp_path)[0].last_success_at is None


@pytest.mark.parametrize(("outcome", "known"), [("done", True), ("failed", False)])
def test_last_success_of_a_file_without_it_is_that_of_its_own_run(tmp_path, outcome, known):
    older = WHOLE | {"outcome": outcome, "finished_at": "2026-03-02T06:31:00+00:00"}
    (tmp_path / "backup.json").write_text(json.dumps(older), "utf-8")
    (status,) = read_statuses(tmp_path)
    assert status.last_success_at == (BEGUN + timedelta(minutes=1) if known else None)


WHOLE = {
    "flow": "backup",
    "run_id": "r",
    "session": None,
    "started_at": "2026-03-02T06:30:00+00:00",
    "finished_at": None,
    "outcome": "done",
    "exit_code": 0,
    "reason": "",
    "release": "0.2.0",
    "pid": 1,
    "born": "",
}
DAMAGED = {
    "cut off": json.dumps(WHOLE)[:40].encode(),
    "empty": b"",
    "not text": bytes(range(128, 256)),
    "a list": b"[]",
    "another flow's": json.dumps(WHOLE | {"flow": "data-update"}).encode(),
    "an unknown outcome": json.dumps(WHOLE | {"outcome": "splendid"}).encode(),
    "a naive instant": json.dumps(WHOLE | {"started_at": "2026-03-02T06:30:00"}).encode(),
    "no run": json.dumps({key: value for key, value in WHOLE.items() if key != "run_id"}).encode(),
    "a process of words": json.dumps(WHOLE | {"pid": "many"}).encode(),
    "an endless number": json.dumps(WHOLE | {"pid": 1}).replace('"pid": 1', '"pid": 1e999').encode(),
    "a deep list": b"[" * 100_000,
}


@pytest.mark.parametrize("case", DAMAGED)
def test_status_file_is_damaged_and_the_others_are_read_when_it_holds_something_else(tmp_path, case):
    write_status(tmp_path, DONE)
    (tmp_path / "backup.json").write_bytes(DAMAGED[case])
    damaged, whole = read_statuses(tmp_path)
    assert (damaged.flow, damaged.outcome, damaged.interrupted) == ("backup", "damaged", False)
    assert "is no status of ours" in damaged.reason
    assert damaged.started_at.tzinfo is not None
    assert whole == DONE


def test_statuses_are_none_when_no_flow_ever_ran(tmp_path):
    assert read_statuses(tmp_path / "status") == ()


def killed_while_running(tmp_path, *, born: str | None = None) -> Status:
    """The status that a process of its own wrote before it went, without a word of its end."""
    script = (
        "import os, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from portfolio.status import started_status, write_status\n"
        "begun = started_status('backup', 'r', None, datetime(2026, 3, 2, tzinfo=UTC), '0.2.0')\n"
        "write_status(Path(sys.argv[1]), begun); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    (status,) = read_statuses(tmp_path)
    return status if born is None else replace(status, born=born)


def test_status_is_interrupted_when_its_process_has_gone(tmp_path):
    assert killed_while_running(tmp_path).interrupted
    assert killed_while_running(tmp_path, born="").interrupted  # a system without /proc
    assert not RUNNING.interrupted
    assert not DONE.interrupted


def test_status_is_interrupted_when_another_process_has_its_number_by_now(tmp_path):
    long_gone = replace(killed_while_running(tmp_path), pid=os.getpid())
    assert long_gone.interrupted
