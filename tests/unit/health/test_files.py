"""What is said of the disk, from real files."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portfolio.health.files import check_disk, check_disks, check_leftovers, check_live
from portfolio.health.verdict import Status
from portfolio.store.migrate import create_store

NOW = datetime.now(UTC)


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


def test_disk_of_the_backups_is_looked_at_too_only_when_it_is_another(tmp_path):
    store = tmp_path / "portfolio.duckdb"
    assert [check.name for check in check_disks(store, tmp_path / "backups")] == ["disk"]
    assert [check.name for check in check_disks(store, Path("/proc/backups"))] == ["disk", "backup disk"]


def test_disk_is_unhealthy_when_it_has_no_room_left():
    check = check_disk(Path("/proc/portfolio.duckdb"))  # a file system without a free byte
    assert (check.status, check.seen, check.to_do) == (Status.UNHEALTHY, "0.0 GB free", "make room")


LEFT = ["portfolio.published.duckdb.building", "report/.index.html.x.part", "status/.backup.json.x.part"]
LEFT += ["models/.unfinished-x/model.npz"]


def left_behind(folder: Path, name: str, size: int, age: timedelta) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size)  # a hole: it takes no room
    then = (NOW - age).timestamp()
    for touched in (path, path.parent):
        os.utime(touched, (then, then))


@pytest.mark.parametrize("name", LEFT)
def test_leftover_is_told_when_it_is_old_and_degrades_only_when_it_is_much(tmp_path, name):
    left_behind(tmp_path, name, 1000, timedelta(hours=1))
    assert check_leftovers(tmp_path, NOW).seen == "none"  # somebody may be writing it
    left_behind(tmp_path, name, 1000, timedelta(days=2))
    few = check_leftovers(tmp_path, NOW)
    assert (few.status, few.seen[:12]) == (Status.HEALTHY, "1 unfinished")
    assert str(tmp_path) in few.seen
    left_behind(tmp_path, name, 200_000_000, timedelta(days=2))
    much = check_leftovers(tmp_path, NOW)
    assert (much.status, "200.0 MB" in much.seen) == (Status.DEGRADED, True)
    assert "delete them" in much.to_do


def test_leftovers_are_none_when_there_is_no_folder_or_only_whole_files(tmp_path):
    for name in ("portfolio.duckdb", "report/index.html", "status/backup.json", "models/hmm-1/model.npz"):
        left_behind(tmp_path, name, 1000, timedelta(days=9))
    assert check_leftovers(tmp_path, NOW).seen == "none"
    assert check_leftovers(tmp_path / "nowhere", NOW).status is Status.HEALTHY
