from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

import portfolio
from portfolio.errors import StoreBusyError, StoreError
from portfolio.store.connection import open_writer, published_path
from portfolio.store.engine import wal_path
from portfolio.store.lock import writer_lock
from portfolio.store.migrate import create_store, migrate, plan_of
from portfolio.store.prices import append_batch, newest_batch
from portfolio.store.publish import publish
from portfolio.store.schema import Migration, Plan, known_schema, packaged_migrations
from tests.support.store_batches import long_batch

if TYPE_CHECKING:
    from pathlib import Path

SECOND = Migration(2, "notes", 1, "CREATE TABLE core.notes (note TEXT)")
THIRD = Migration(3, "split", 3, "ALTER TABLE core.notes ADD COLUMN author TEXT")
BROKEN = Migration(2, "broken", 1, "CREATE TABLE core.notes (note TEXT); CREATE TABLE core.meta (again TEXT)")


def filled(path: Path) -> None:
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 10, 1.0), "run")


def schema_of(path: Path) -> list[tuple[int, str, int, str]]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(
            "SELECT version, name, min_reader, release FROM core.migrations ORDER BY version"
        ).fetchall()


def test_packaged_migrations_are_numbered_without_a_gap_and_ask_for_no_later_reader_than_themselves() -> None:
    steps = packaged_migrations()
    assert [step.version for step in steps] == list(range(1, known_schema() + 1))
    assert all(1 <= step.min_reader <= step.version for step in steps)


def test_creation_makes_a_whole_store_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "portfolio.duckdb"
    assert create_store(path, "live")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["portfolio.duckdb", "portfolio.duckdb.lock"]
    assert schema_of(path) == [(1, "first_tables", 1, portfolio.__version__)]


def test_creation_leaves_a_file_alone_when_one_is_there(path: Path) -> None:
    filled(path)
    before = path.read_bytes()
    assert not create_store(path, "sample")
    assert path.read_bytes() == before


def test_creation_is_refused_when_a_log_without_its_store_is_there(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.duckdb"
    wal_path(path).write_bytes(b"\x64\x00\x62 rows of a store that was moved")
    with pytest.raises(StoreError, match=r"portfolio\.duckdb\.wal is there and its store portfolio\.duckdb is not"):
        create_store(path, "sample")
    assert not path.exists()
    assert wal_path(path).exists()


def test_creation_is_refused_when_the_published_copy_of_a_lost_store_is_there(path: Path) -> None:
    filled(path)
    with open_writer(path, "sample") as store:
        publish(store)
    path.unlink()
    before = published_path(path).read_bytes()
    with pytest.raises(StoreError, match=r"from it: cp .*portfolio\.published\.duckdb .*portfolio\.duckdb\. To"):
        create_store(path, "sample")
    assert not path.exists()
    assert published_path(path).read_bytes() == before


def test_creation_clears_what_a_killed_creator_left(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.duckdb"
    for leftover in ("portfolio.duckdb.building", "portfolio.duckdb.building.wal"):
        (tmp_path / leftover).write_bytes(b"half a store")
    assert create_store(path, "sample")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["portfolio.duckdb", "portfolio.duckdb.lock"]


def test_creation_is_refused_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be made .*set DATA_DIR"):
        create_store(tmp_path / "file" / "portfolio.duckdb", "sample")


def test_migration_does_nothing_when_the_store_is_up_to_date(path: Path) -> None:
    before = path.read_bytes()
    assert migrate(path, "sample") == ()
    assert path.read_bytes() == before
    assert list(path.parent.glob("*.before-*")) == []


def test_migration_applies_what_is_missing_and_keeps_a_copy(path: Path) -> None:
    filled(path)
    before = path.read_bytes()
    steps = (*packaged_migrations(), SECOND)
    assert migrate(path, "sample", migrations=steps) == (SECOND,)
    assert schema_of(path)[1:] == [(2, "notes", 1, portfolio.__version__)]
    assert path.with_name("portfolio.before-2.duckdb").read_bytes() == before
    assert not wal_path(path).exists()
    with open_writer(path, "sample") as store:  # min_reader 1: this release still works on it
        assert newest_batch(store) == 1
    assert migrate(path, "sample", migrations=steps) == ()


def test_migration_takes_several_steps_and_then_an_older_release_is_refused(path: Path) -> None:
    assert migrate(path, "sample", migrations=(*packaged_migrations(), SECOND, THIRD)) == (SECOND, THIRD)
    with pytest.raises(StoreError, match="needs a release that knows schema 3; this one knows 1"):
        open_writer(path, "sample").__enter__()
    with pytest.raises(StoreError, match="needs a release that knows schema 3; this one knows 1"):
        migrate(path, "sample")


def test_migration_leaves_the_store_as_it_was_when_a_step_fails(path: Path) -> None:
    filled(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="The store is as it was: go on with the release before"):
        migrate(path, "sample", migrations=(*packaged_migrations(), BROKEN))
    assert path.read_bytes() == before
    assert migrate(path, "sample", migrations=(*packaged_migrations(), SECOND)) == (SECOND,)
    # The copy made for the failed try is the same bytes, so it serves; nothing half-made stays.
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "portfolio.before-2.duckdb",
        "portfolio.duckdb",
        "portfolio.duckdb.lock",
    ]


def test_migration_overwrites_no_earlier_copy(path: Path) -> None:
    kept = path.with_name("portfolio.before-2.duckdb")
    kept.write_bytes(b"a copy somebody may need")
    migrate(path, "sample", migrations=(*packaged_migrations(), SECOND))
    assert kept.read_bytes() == b"a copy somebody may need"
    assert schema_of(path.with_name("portfolio.before-2-2.duckdb"))[-1][0] == 1


def test_migration_and_creation_are_refused_when_somebody_writes(path: Path) -> None:
    with writer_lock(path):
        with pytest.raises(StoreBusyError):
            migrate(path, "sample")
        with pytest.raises(StoreBusyError):
            create_store(path.with_name("portfolio.duckdb"), "sample")


def test_plan_tells_the_steps_and_who_can_read_the_result_and_changes_nothing(tmp_path):
    path = tmp_path / "portfolio.duckdb"
    first = packaged_migrations()[0]
    assert plan_of(path, "sample", (first, SECOND)) == Plan(None, 2, (), 1, can_read=True)
    create_store(path, "sample", migrations=(first,))
    before = path.read_bytes()
    assert plan_of(path, "sample", (first,)) == Plan(1, 1, (), 1, can_read=True)
    assert plan_of(path, "sample", (first, SECOND)) == Plan(1, 2, ("0002 notes",), 1, can_read=True)
    assert plan_of(path, "sample", (first, SECOND, THIRD)) == Plan(1, 3, ("0002 notes", "0003 split"), 3, can_read=True)
    assert path.read_bytes() == before


def test_plan_says_when_the_store_needs_a_newer_release(tmp_path):
    path = tmp_path / "portfolio.duckdb"
    first = packaged_migrations()[0]
    create_store(path, "sample", migrations=(first, SECOND, THIRD))
    assert plan_of(path, "sample", (first,)) == Plan(3, 1, (), 3, can_read=False)
    assert plan_of(path, "sample", (first, SECOND)).can_read is False
