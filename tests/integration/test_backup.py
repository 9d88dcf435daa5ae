"""Making a backup: what it holds, what it refuses, what it clears away and what it leaves alone."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.backup.copying import ensure_room
from portfolio.backup.folders import newest_backup
from portfolio.backup.make import Making, make_backup
from portfolio.backup.verify import verify
from portfolio.day.backup import backup_store
from portfolio.errors import BackupError, StoreBusyError, StoreError
from portfolio.findings import Severity
from portfolio.store.connection import open_reader, open_writer
from portfolio.store.journal import read_findings, read_runs
from portfolio.store.lock import writer_lock
from portfolio.store.migrate import create_store
from portfolio.store.models import ModelRow, PromotionRow, append_model, append_promotion
from tests.support.backups import aged, run_in
from tests.support.command import contents, document, portfolio
from tests.support.days import settings_in
from tests.support.store_batches import at

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.backup.folders import Backup

GOES_ROUND_THE_LOCK = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a new, empty store."""
    create_store(settings_in(tmp_path / "data").store_path, "sample")
    return tmp_path / "data"


def backups_in(folder: Path) -> Path:
    return settings_in(folder).backups_dir


def newest_in(folder: Path) -> Backup:
    newest = newest_backup(backups_in(folder))
    assert newest is not None
    return newest


def test_backup_is_journaled_with_what_it_made(folder):
    run = run_in(folder, "backup")
    result = backup_store(run)
    with open_reader(settings_in(folder).store_path, "sample") as store:
        newest = read_runs(store, 1)[0]
    assert (newest.run_id, newest.outcome, newest.rows_out) == (run.run_id, "done", result.rows)
    assert str(result.path) in (newest.detail or "")
    assert newest_in(folder).manifest.run_id == run.run_id


def test_copy_has_the_pinned_storage_version_and_opens_in_another_tool(folder):
    result = backup_store(run_in(folder, "backup"))
    with duckdb.connect(result.path / "portfolio.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM out.run_starts").fetchall() == [(1,)]
        found = connection.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL")
        assert found.fetchall()[0][0].startswith("v1.4.0")


def test_live_store_is_still_locked_against_other_programs_after_the_copy(folder, tmp_path):
    path = settings_in(folder).store_path
    backups_in(folder).mkdir()
    with open_writer(path, "sample") as store:
        store.connection.execute("CHECKPOINT store")  # without a log, whose own lock would stop the other program
        make_backup(store, Making(tmp_path / "models", backups_in(folder), "run", at("2026-11-20 21:15"), "abcdef"))
        command = [sys.executable, "-c", GOES_ROUND_THE_LOCK, str(path)]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Could not set lock" in other.stderr


def test_backup_makes_nothing_when_there_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="no store"):
        backup_store(run_in(tmp_path, "backup"))
    assert not list(tmp_path.iterdir())


def test_backup_is_busy_when_another_process_writes(folder, tmp_path):
    before = contents(folder)
    with writer_lock(settings_in(folder).store_path), pytest.raises(StoreBusyError) as caught:
        backup_store(run_in(folder, "backup"))
    assert caught.value.exit_code == 5
    assert contents(folder) == before
    with writer_lock(settings_in(folder).store_path):
        ended = portfolio(tmp_path, "backup", settings={"DATA_DIR": str(folder)})
    assert ended.returncode == 5


def test_backup_is_busy_when_another_store_s_is_being_made_in_the_same_folder(folder):
    building = backups_in(folder) / ".building-20260101T000000Z-abcdef"
    building.mkdir(parents=True)
    held = os.open(backups_in(folder), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreBusyError, match="Another store's backup"):
            backup_store(run_in(folder, "backup"))
    finally:
        os.close(held)
    assert building.exists()
    backup_store(run_in(folder, "backup"))
    assert not building.exists()


def test_backup_fails_and_says_so_when_its_folder_cannot_be_made(folder, tmp_path):
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(BackupError, match="PORTFOLIO_BACKUP_DIR"):
        backup_store(run_in(folder, "backup", PORTFOLIO_BACKUP_DIR=tmp_path / "file"))
    with open_reader(settings_in(folder).store_path, "sample") as store:
        assert read_runs(store, 1)[0].outcome == "failed"


def test_room_is_refused_with_what_is_needed_and_what_is_there(tmp_path):
    with pytest.raises(BackupError, match=r"A backup needs 1000000000016 MB in .* and \d+ MB are free") as caught:
        ensure_room(tmp_path, 10**18, "A backup")
    assert "PORTFOLIO_BACKUP_DIR" in str(caught.value)


def test_champion_without_files_is_noticed_and_its_ledger_backed_up_all_the_same(folder):
    with open_writer(settings_in(folder).store_path, "sample") as store:
        for model in ("m-old", "m-new"):
            day = at("2018-12-28 06:00")
            append_model(store, ModelRow(model, day, "run", day.date(), day.date(), passed=True, manifest="{}"))
            append_promotion(store, PromotionRow(model, day, "run", "[]"))
    model = settings_in(folder).state_dir / "models" / "m-new"
    model.mkdir(parents=True)
    model.joinpath("model.json").write_text("{}", "utf-8")
    result = backup_store(run_in(folder, "backup"))
    noticed = [(f.severity, f.rule, f.subject) for f in verify(result.path).findings]
    assert noticed == [(Severity.WARNING, "model-missing", "m-old")]
    assert newest_in(folder).manifest.contents.roles == {"champion": "m-new", "previous": "m-old"}


def test_old_backups_go_only_by_retention_and_after_the_new_one(folder):
    first = backup_store(run_in(folder, "backup")).path
    made_at = newest_in(folder).created_at
    nights = [aged(first, made_at - timedelta(days=day)) for day in range(1, 60)]
    pruned = set(backup_store(run_in(folder, "backup")).pruned)
    left = {path.name for path in backups_in(folder).iterdir()}
    assert first.name in pruned
    assert {night.name for night in nights[:6]} <= left
    assert pruned == {path.name for path in (first, *nights)} - left
    assert len(left) <= 7 + 5 + 12


def test_new_backup_stays_when_the_clock_was_set_back(folder):
    first = backup_store(run_in(folder, "backup")).path
    ahead = aged(first, newest_in(folder).created_at + timedelta(minutes=1))
    new = backup_store(run_in(folder, "backup"))
    assert {ahead, new.path} <= set(backups_in(folder).iterdir())


def test_what_is_not_a_whole_backup_of_this_store_is_never_pruned(folder):
    first = backup_store(run_in(folder, "backup")).path
    made_at = newest_in(folder).created_at
    of_an_earlier_store = [aged(first, made_at - timedelta(hours=hour), "2001-01-01") for hour in (1, 2)]
    torn, unreadable = (aged(first, made_at - timedelta(hours=hour)) for hour in (3, 4))
    (torn / "portfolio.duckdb").write_bytes(b"short")
    (unreadable / "manifest.json").write_text("{", "utf-8")
    foreign = backups_in(folder) / "photos"
    foreign.mkdir()
    (backups_in(folder) / "20200101T000000Z-abcdef").write_text("a file", "utf-8")
    run = run_in(folder, "backup")
    result = backup_store(run)
    assert result.pruned == (first.name,)
    assert {*of_an_earlier_store, torn, unreadable, foreign} <= set(backups_in(folder).iterdir())
    assert {finding.subject for finding in result.findings} == {torn.name, unreadable.name}
    with open_reader(settings_in(folder).store_path, "sample") as store:
        assert {finding.rule for finding in read_findings(store, run.run_id)} == {"backup-damaged"}


def test_newest_backup_is_the_newest_whole_one(folder):
    assert newest_backup(backups_in(folder)) is None
    older = backup_store(run_in(folder, "backup")).path
    made_at = newest_in(folder).created_at
    newer = aged(older, made_at + timedelta(hours=1))
    assert newest_in(folder).path == newer
    (newer / "portfolio.duckdb").unlink()
    assert newest_in(folder).path == older


def test_newest_backup_needs_neither_duckdb_nor_pandas():
    code = "import sys, portfolio.backup.folders; sys.exit(bool({'duckdb', 'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_command_prints_one_document(folder, tmp_path):
    printed = document(portfolio(tmp_path, "backup", "--json", settings={"DATA_DIR": str(folder)}))
    assert printed["verified"] is True
    assert printed["path"] == str(newest_in(folder).path)
