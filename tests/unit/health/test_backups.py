"""What is said of the backups, from folders as backups are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from portfolio.backup.folders import backup_name
from portfolio.backup.manifest import FORMAT, MANIFEST_FILE, STORE_FILE, Manifest, file_record, manifest_text
from portfolio.health.backups import Backups, check_backups, count_backups
from portfolio.health.expected import Calendars
from portfolio.health.verdict import Check, Status
from portfolio.store.contents import Contents

if TYPE_CHECKING:
    from pathlib import Path

DAYS = [date(2024, 3, day) for day in (21, 22, 25, 26)]
SESSIONS = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in DAYS]
CONTENTS = Contents("made", "live", 1, 1, "0.2.0", "v1.4.0", None, {}, {})
FRIDAY_NIGHT = datetime(2024, 3, 22, 21, 15, tzinfo=UTC)


def backup(folder: Path, created_at: datetime) -> Path:
    """A folder that looks like a whole backup to who doesn't open its store."""
    made = folder / backup_name(created_at, "abcdef")
    made.mkdir(parents=True)
    (made / STORE_FILE).write_bytes(b"a store's bytes")
    files = (file_record(made, made / STORE_FILE),)
    manifest = Manifest(FORMAT, created_at, "run", "0.2.0", "1.5.6", CONTENTS, files)
    (made / MANIFEST_FILE).write_text(manifest_text(manifest))
    return made


def check(folder: Path, now: datetime, source: str = "live") -> Check:
    return check_backups(folder, source, Calendars({"XPAR": SESSIONS}, now), "made")


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (datetime(2024, 3, 23, 9, 0, tzinfo=UTC), Status.HEALTHY),
        (datetime(2024, 3, 25, 7, 59, tzinfo=UTC), Status.HEALTHY),  # the weekend asks for nothing new
        (datetime(2024, 3, 26, 9, 59, tzinfo=UTC), Status.HEALTHY),
        (datetime(2024, 3, 26, 10, 0, tzinfo=UTC), Status.DEGRADED),  # 26 hours after Monday's open
    ],
)
def test_backup_is_wanted_a_day_and_two_hours_after_each_open(tmp_path, now, status):
    backup(tmp_path, FRIDAY_NIGHT)
    told = check(tmp_path, now)
    assert told.status is status
    assert "the newest of 2024-03-22 21:15 UTC" in told.seen
    assert ("portfolio backup" in told.to_do) == (status is Status.DEGRADED)


def test_backups_are_degraded_when_a_live_store_has_none_and_well_for_the_sample(tmp_path):
    now = datetime(2024, 3, 25, 9, 0, tzinfo=UTC)
    assert check(tmp_path / "none", now).status is Status.DEGRADED
    assert "`portfolio backup`" in check(tmp_path / "none", now).to_do
    assert check(tmp_path / "none", now, "sample").status is Status.HEALTHY


def test_backups_are_degraded_when_the_newest_is_damaged_and_told_when_an_older_one_is(tmp_path):
    now = datetime(2024, 3, 23, 9, 0, tzinfo=UTC)
    older = backup(tmp_path, FRIDAY_NIGHT - timedelta(days=1))
    newer = backup(tmp_path, FRIDAY_NIGHT)
    (older / STORE_FILE).write_bytes(b"cut")
    told = check(tmp_path, now)
    assert (told.status, f"damaged: {older.name}" in told.seen) == (Status.HEALTHY, True)
    (newer / MANIFEST_FILE).write_text("{")
    told = check(tmp_path, now)
    assert (told.status, told.seen[:21]) == (Status.DEGRADED, "the newest is damaged")
    assert newer.name in told.seen


def test_backups_are_looked_at_while_the_store_does_not_open(tmp_path):
    backup(tmp_path, FRIDAY_NIGHT)
    assert check_backups(tmp_path, "live", None, None).status is Status.HEALTHY


def test_backups_of_another_store_in_the_same_folder_do_not_count(tmp_path):
    backup(tmp_path, FRIDAY_NIGHT)
    told = check_backups(tmp_path, "live", None, "made at another instant")
    assert (told.status, told.seen) == (Status.DEGRADED, f"none in {tmp_path}")


def test_backups_are_counted_with_the_newest_whole_one_of_this_store(tmp_path):
    assert count_backups(tmp_path / "none", "made") == Backups(None, 0, 0)
    for hours in (0, 24, 48):
        backup(tmp_path, FRIDAY_NIGHT + timedelta(hours=hours))
    cut = backup(tmp_path, FRIDAY_NIGHT + timedelta(hours=72))
    (cut / STORE_FILE).write_bytes(b"")
    assert count_backups(tmp_path, "made") == Backups(FRIDAY_NIGHT + timedelta(hours=48), 3, 1)
    assert count_backups(tmp_path, "another store's") == Backups(None, 0, 1)
    assert count_backups(tmp_path, None).whole == 3  # nobody knows which store it is


def test_backups_are_none_when_their_folder_cannot_be_read(tmp_path):
    (tmp_path / "file").write_text("")
    assert count_backups(tmp_path / "file", "made") == Backups(None, 0, 0)
