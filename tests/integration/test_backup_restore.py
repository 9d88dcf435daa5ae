"""The way back: onto a new machine, over a damaged or a good store, and what is kept of what was there."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.backup.manifest import STORE_FILE
from portfolio.day.restore import restore_store
from portfolio.errors import RestoreRefusedError, StoreBusyError
from portfolio.store.connection import open_reader, open_writer, published_path
from portfolio.store.engine import wal_path
from portfolio.store.journal import RunStart, read_runs, start_run
from portfolio.store.ledger import read_entries
from portfolio.store.lock import writer_lock
from portfolio.store.migrate import create_store
from portfolio.store.models import read_promotions
from portfolio.store.signals import read_signals
from tests.support.backups import decided_and_backed_up, run_in, seal
from tests.support.command import COMMAND, contents, document, environment, portfolio
from tests.support.days import settings_in
from tests.support.store_batches import at

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.store.connection import Store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    decided_and_backed_up(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A store with two decisions, the second of them younger than the only backup."""
    return shutil.copytree(template, tmp_path / "data")


def backup_in(folder: Path) -> Path:
    (backup,) = (folder / "sample" / "backups").iterdir()
    return backup


def kept_in(folder: Path) -> Path:
    (kept,) = (folder / "sample").glob("portfolio.duckdb.replaced-*")
    return kept


def logs(store: Store) -> tuple[object, ...]:
    """All that happened and was decided, without the journal."""
    return read_signals(store), read_entries(store), read_promotions(store)


def test_new_machine_has_decisions_ledger_and_models_and_replays_alike_when_restored_there(folder, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for place in (old, new):
        place.mkdir()
    settings = {"DATA_DIR": str(folder), "PORTFOLIO_BACKUP_DIR": str(tmp_path / "disk"), "PORTFOLIO_STARTS": "2"}
    made = document(portfolio(old, "backup", "--json", settings=settings))
    assert made["verified"]
    replayed = document(portfolio(old, "signal", "--replay", "--json", settings=settings))
    elsewhere = settings | {"DATA_DIR": str(new)}
    restored = portfolio(new, "restore", "--json", settings=elsewhere)
    assert (restored.returncode, document(restored)["kept"]) == (0, None)
    assert document(restored)["rows"] == made["rows"]
    again = portfolio(new, "signal", "--replay", "--json", settings=elsewhere)
    assert (again.returncode, document(again)) == (0, replayed)
    assert replayed["agrees"]
    with open_reader(settings_in(folder).store_path, "sample") as store:
        before = logs(store)
    with open_reader(settings_in(new).store_path, "sample") as store:
        assert logs(store) == before
        assert [run.command for run in read_runs(store)][:2] == ["restore", "backup"]
    assert contents(new / "sample" / "models") == contents(folder / "sample" / "models")
    health = document(portfolio(new, "health", "--json", settings=elsewhere))
    assert {check["check"]: check["status"] for check in health["checks"]}["runs"] == "HEALTHY"


def test_restore_is_journaled_in_the_store_that_it_brings_back(folder):
    shutil.rmtree(folder / "sample" / "models")
    settings_in(folder).store_path.unlink()
    run = run_in(folder, "restore")
    restore_store(run, backup_in(folder))
    with open_reader(settings_in(folder).store_path, "sample") as store:
        newest = read_runs(store, 1)[0]
    assert (newest.run_id, newest.command, newest.outcome, newest.exit_code) == (run.run_id, "restore", "done", 0)
    assert json.loads(newest.detail or "")["restore"]["backup"] == backup_in(folder).name


def test_good_store_stays_to_the_byte_when_not_forced(folder):
    before = contents(folder)
    with pytest.raises(RestoreRefusedError, match="--force") as caught:
        restore_store(run_in(folder, "restore"), backup_in(folder))
    assert caught.value.exit_code == 4
    assert contents(folder) == before


def test_good_store_is_kept_whole_with_models_and_read_copy_when_forced(folder):
    path = settings_in(folder).store_path
    before = contents(path.parent)
    result = restore_store(run_in(folder, "restore"), backup_in(folder), force=True)
    assert result.kept == kept_in(folder)
    assert sessions_of(path) == sessions_of(published_path(path)) == ["2001-06-01"]
    kept = contents(kept_in(folder))
    assert {name: before[name] for name in kept} == kept
    assert {"portfolio.duckdb", "portfolio.published.duckdb"} < set(kept)
    assert any(name.startswith("models/hmm-") for name in kept)


def test_rows_of_a_killed_writer_are_kept_when_a_store_with_a_log_is_replaced(folder):
    path = settings_in(folder).store_path
    leave_in_the_log(path)
    restore_store(run_in(folder, "restore"), backup_in(folder), force=True)
    assert not wal_path(path).exists()
    with open_writer(kept_in(folder) / path.name, "sample") as store:
        assert read_runs(store, 1)[0].run_id == "killed"
    with open_writer(path, "sample") as store:
        assert "killed" not in {run.run_id for run in read_runs(store)}


def test_damaged_store_is_replaced_unforced_and_kept_with_its_log(folder):
    path = settings_in(folder).store_path
    path.write_bytes(path.read_bytes()[:50_000])
    wal_path(path).write_bytes(b"whose")
    restore_store(run_in(folder, "restore"), backup_in(folder))
    assert sessions_of(path) == ["2001-06-01"]
    assert not wal_path(path).exists()
    kept = kept_in(folder)
    assert (kept / path.name).stat().st_size == 50_000
    assert wal_path(kept / path.name).read_bytes() == b"whose"


def test_published_copy_is_kept_when_only_that_is_left(folder):
    path = settings_in(folder).store_path
    path.unlink()
    restore_store(run_in(folder, "restore"), backup_in(folder))
    assert sessions_of(path) == ["2001-06-01"]
    assert sessions_of(kept_in(folder) / "portfolio.published.duckdb") == ["2001-06-01", "2001-06-20"]


def test_model_that_lost_a_file_comes_back_and_what_was_there_is_kept(folder):
    models = folder / "sample" / "models"
    model = next((backup_in(folder) / "models").iterdir()).name
    whole = contents(models / model)
    (models / model / "model.json").unlink()
    restore_store(run_in(folder, "restore"), backup_in(folder), force=True)
    assert contents(models / model) == whole
    assert set(contents(kept_in(folder) / "models" / model)) == {"manifest.json"}


def test_store_of_the_other_kind_is_never_replaced(folder, tmp_path):
    path = tmp_path / "mine.duckdb"
    create_store(path, "live")
    before = contents(tmp_path)
    with pytest.raises(RestoreRefusedError, match="holds live data"):
        restore_store(run_in(folder, "restore", DUCKDB_FILE=path), backup_in(folder), force=True)
    assert contents(tmp_path) == before


def test_file_of_another_program_is_never_replaced(folder, tmp_path):
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (i INTEGER)")
    before = contents(tmp_path)
    with pytest.raises(RestoreRefusedError, match="another program"):
        restore_store(run_in(folder, "restore", DUCKDB_FILE=path), backup_in(folder), force=True)
    assert contents(tmp_path) == before


def test_folder_in_the_store_s_place_is_never_replaced(folder, tmp_path):
    path = tmp_path / "folder.duckdb"
    path.mkdir()
    with pytest.raises(RestoreRefusedError, match="not a file"):
        restore_store(run_in(folder, "restore", DUCKDB_FILE=path), backup_in(folder), force=True)


def test_store_in_a_format_of_a_newer_duckdb_is_replaced_only_when_forced(folder):
    path = settings_in(folder).store_path
    newer = of_storage_format(path.read_bytes(), 200)
    path.write_bytes(newer)
    before = contents(folder)
    with pytest.raises(RestoreRefusedError, match="newer DuckDB"):
        restore_store(run_in(folder, "restore"), backup_in(folder))
    assert contents(folder) == before
    restore_store(run_in(folder, "restore"), backup_in(folder), force=True)
    assert (kept_in(folder) / path.name).read_bytes() == newer


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_store_that_may_not_be_read_is_never_replaced(folder):
    settings_in(folder).store_path.chmod(0)
    with pytest.raises(RestoreRefusedError, match="mend its rights"):
        restore_store(run_in(folder, "restore"), backup_in(folder), force=True)


def test_store_stays_to_the_byte_and_nothing_is_left_beside_when_the_disk_takes_no_more(folder, tmp_path):
    before = contents(folder)
    ended = portfolio_on_a_full_disk(tmp_path, folder, "restore", "--force")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "File too large" in ended.stderr
    assert contents(folder) == before


def test_old_backup_stays_and_nothing_is_left_beside_when_the_disk_takes_no_more(folder, tmp_path):
    old = contents(folder / "sample" / "backups")
    ended = portfolio_on_a_full_disk(tmp_path, folder, "backup")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert contents(folder / "sample" / "backups") == old
    assert portfolio(tmp_path, "backup", settings={"DATA_DIR": str(folder)}).returncode == 0


def test_restore_goes_where_a_linked_store_really_is(folder, tmp_path):
    (tmp_path / "disk").mkdir()
    path = tmp_path / "linked.duckdb"
    path.symlink_to(tmp_path / "disk" / "real.duckdb")
    restore_store(run_in(folder, "restore", DUCKDB_FILE=path), backup_in(folder))
    assert path.is_symlink()
    assert sessions_of(tmp_path / "disk" / "real.duckdb") == ["2001-06-01"]


def test_restore_is_busy_when_another_process_writes(folder):
    before = contents(folder)
    with writer_lock(settings_in(folder).store_path), pytest.raises(StoreBusyError):
        restore_store(run_in(folder, "restore"), backup_in(folder), force=True)
    assert contents(folder) == before


def test_restore_says_to_migrate_and_migrates_nothing_when_the_backup_is_of_an_older_schema(folder, tmp_path):
    backup = backup_in(folder)
    with duckdb.connect(backup / STORE_FILE) as connection:
        connection.execute("UPDATE core.migrations SET version = 0")
    seal(backup)
    restored = portfolio(tmp_path, "restore", "--force", settings={"DATA_DIR": str(folder)})
    assert restored.returncode == 0
    assert "portfolio migrate" in restored.stdout
    with duckdb.connect(settings_in(folder).store_path, read_only=True) as connection:
        assert connection.execute("SELECT max(version) FROM core.migrations").fetchall() == [(0,)]


def test_restore_names_the_backups_there_when_the_one_asked_for_is_not(folder, tmp_path):
    refused = portfolio(tmp_path, "restore", "20010101T000000Z-abcdef", settings={"DATA_DIR": str(folder)})
    assert refused.returncode == 1
    assert backup_in(folder).name in refused.stderr


def sessions_of(path: Path) -> list[str]:
    """The sessions decided in a store's file, of whatever name."""
    with duckdb.connect(path, read_only=True) as connection:
        return [
            str(row[0]) for row in connection.execute("SELECT session FROM out.signals ORDER BY session").fetchall()
        ]


def portfolio_on_a_full_disk(place: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose files may only have half the size of the store's."""
    blocks = settings_in(folder).store_path.stat().st_size // 2048  # of 1024 bytes, bash's unit
    command = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", COMMAND, *arguments]
    settings = environment(place, {"DATA_DIR": str(folder)})
    return subprocess.run(command, cwd=place, env=settings, capture_output=True, text=True, check=False)


def leave_in_the_log(path: Path) -> None:
    """Make the store as a writer leaves it that was killed after a commit."""
    before = path.with_name("before")
    shutil.copy(path, before)
    with open_writer(path, "sample") as store:
        start_run(store, RunStart("killed", "run", None, at("2099-01-01 00:00"), "0", "sample", 1))
        log = wal_path(path).read_bytes()
    shutil.copy(before, path)
    before.unlink()
    wal_path(path).write_bytes(log)


def of_storage_format(file: bytes, number: int) -> bytes:
    """A DuckDB file with another format number: eight bytes at 12, under the first block's checksum at 0."""
    assert file[:8] == block_checksum(file)
    changed = file[:12] + struct.pack("<Q", number) + file[20:]
    return block_checksum(changed) + changed[8:]


def block_checksum(file: bytes) -> bytes:
    """DuckDB's checksum of the first header's 4096 bytes (src/common/checksum.cpp)."""
    total = 5381
    for (word,) in struct.iter_unpack("<Q", file[8:4096]):
        total ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return struct.pack("<Q", total)
