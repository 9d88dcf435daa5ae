"""What is refused when a store is opened, and that it is left as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.errors import StoreBusyError, StoreError
from portfolio.store.connection import open_reader, open_writer, published_path
from portfolio.store.engine import STORAGE_VERSION, wal_path
from portfolio.store.journal import read_runs
from portfolio.store.migrate import create_store, migrate
from portfolio.store.prices import Known, append_batch, newest_batch, read_prices
from portfolio.store.publish import publish
from tests.support.store_batches import at, drawn, long_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if not entry.name.endswith(".lock")}


def ensure_refused(path: Path, *said: str) -> None:
    """Writer and migration both refuse, say why, and leave every file as it was."""
    before = contents(path.parent)
    for attempt in (lambda: open_writer(path, "sample").__enter__(), lambda: migrate(path, "sample")):
        with pytest.raises(StoreError) as caught:
            attempt()
        for text in (str(path), *said):
            assert text in str(caught.value)
    assert contents(path.parent) == before


def flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "text": lambda _: b"date;close\n2018-12-28;2485.74\n" * 1000,
    "a few bytes": lambda _: b"\x00\x01",
    "cut in the header": lambda content: content[:4096],
    "cut in half": lambda content: content[: len(content) // 2],
    "cut by its last byte": lambda content: content[:-1],
    "flipped in the magic bytes": flipped(8),
    "flipped in the version": flipped(12),
    "flipped in the first header": lambda content: flipped(8200)(flipped(4100)(content)),
    "flipped in a block": lambda content: content[:12288] + bytes(b ^ 0xFF for b in content[12288:]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_store_is_refused_and_left_alone_when_damaged(path: Path, damage: str) -> None:
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    ensure_refused(path, "cannot be used", "restore a backup")


@pytest.mark.parametrize("damage", DAMAGES)
def test_published_copy_is_refused_and_can_be_made_again_when_damaged(path: Path, damage: str) -> None:
    with open_writer(path, "sample") as store:
        copy = publish(store)
    copy.write_bytes(DAMAGES[damage](copy.read_bytes()))
    with pytest.raises(StoreError, match="portfolio publish"), open_reader(path, "sample"):
        pytest.fail("opened")
    with open_writer(path, "sample") as store:
        publish(store)
    with open_reader(path, "sample") as store:
        assert newest_batch(store) == 0


def test_store_is_refused_when_its_log_is_garbage(path: Path) -> None:
    wal_path(path).write_bytes(b"garbage" * 100)  # DuckDB itself would drop it without a word
    ensure_refused(path, "doesn't start like a write-ahead log")


def test_store_opens_when_its_log_was_torn_before_its_first_entry_was_written(path: Path) -> None:
    wal_path(path).write_bytes(b"\x64")
    with open_writer(path, "sample") as store:
        assert newest_batch(store) == 0


def test_store_is_refused_when_it_is_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.duckdb"
    path.mkdir()
    with pytest.raises(StoreError, match="not a regular file"), open_writer(path, "sample"):
        pytest.fail("opened")


def test_store_is_refused_when_it_is_missing(tmp_path: Path) -> None:
    ensure_refused(tmp_path / "portfolio.duckdb", "There is no store", "portfolio run", "portfolio update")


def test_published_copy_is_refused_when_it_is_missing(path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*portfolio\.published\.duckdb"), open_reader(path, "sample"):
        pytest.fail("opened")


def test_store_is_refused_when_it_is_another_programs(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    duckdb.connect(path).execute("CREATE TABLE trips (id INTEGER)").close()
    ensure_refused(path, "another program", "no core.meta", "DUCKDB_FILE")


def test_store_is_refused_when_another_program_uses_our_table_names(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA core; CREATE TABLE core.meta (key TEXT, value TEXT)")
        connection.execute("CREATE TABLE core.migrations (version INTEGER, min_reader INTEGER, release TEXT)")
    ensure_refused(path, "another program", "its application is None")


def test_store_is_refused_when_another_programs_table_has_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA core; CREATE TABLE core.meta (id INTEGER)")
    ensure_refused(path, "another program")


def test_store_is_refused_when_it_holds_the_other_kind(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.duckdb"
    create_store(path, "live")
    ensure_refused(path, "holds live data", "sample data was asked for", "--source live")


def test_store_is_refused_when_its_schema_is_older(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DELETE FROM core.migrations")
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"is at schema 0 .* works on schema 1; .* Run: portfolio migrate$"):
        open_writer(path, "sample").__enter__()
    assert contents(path.parent) == before


def test_published_copy_is_refused_when_its_schema_is_older(path: Path) -> None:
    with open_writer(path, "sample") as store:
        publish(store)
    with duckdb.connect(published_path(path)) as connection:
        connection.execute("DELETE FROM core.migrations")
    with pytest.raises(StoreError, match=r"Run: portfolio migrate; portfolio publish$"), open_reader(path, "sample"):
        pytest.fail("opened")


def test_store_is_refused_when_its_schema_asks_for_a_newer_release(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO core.migrations VALUES (2, 'split', 2, now(), '9.0.0'), (3, 'x', 1, now(), '9.1.0')"
        )
    ensure_refused(path, "is at schema 3", "9.1.0", "knows schema 2", "this one knows 1", "portfolio.before-*.duckdb")


def test_store_opens_when_its_newer_schema_still_suits_this_release(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO core.migrations VALUES (2, 'more', 1, now(), '9.0.0')")
    with open_writer(path, "sample") as store:
        assert append_batch(store, long_batch("2018-12-28 06:00", 3, 1.0), "run").rows_new == 3


def test_store_is_busy_when_another_program_has_its_file(path: Path, tmp_path: Path) -> None:
    """DuckDB's own lock, met by a process that goes round ours: its message is turned into ours."""
    script = tmp_path / "reader.py"
    script.write_text(
        "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreBusyError, match=f"PID {other.pid}.*Close that program"):
            open_writer(path, "sample").__enter__()


@pytest.mark.parametrize("name", ["core.duckdb", "it's mine.duckdb", "out", "store.db"])
def test_store_works_when_its_file_has_an_awkward_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    create_store(path, "sample")
    with open_writer(path, "sample") as store:
        append_batch(store, drawn("2018-12-28 06:00", [("^GSPC", "2018-12-27", 2488.83)]), "run")
        publish(store)
    with open_reader(path, "sample") as store:
        assert newest_batch(store) == 1
        assert store.connection.execute("SELECT close FROM core.prices").fetchall() == [(2488.83,)]


def test_store_is_the_same_when_reached_through_a_link(path: Path) -> None:
    link = path.parent / "elsewhere" / "link.duckdb"
    link.parent.mkdir()
    link.symlink_to(path)
    with open_writer(path, "sample"), pytest.raises(StoreBusyError), open_writer(link, "sample"):
        pytest.fail("two writers")
    with open_writer(link, "sample") as store:
        assert publish(store) == published_path(path) == published_path(link)
    assert link.is_symlink()


def test_live_file_and_published_copy_have_the_pinned_storage_version(path: Path) -> None:
    with open_writer(path, "sample") as store:
        copy = publish(store)
    newest = path.with_name("newest.duckdb")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{newest}' (STORAGE_VERSION 'latest')")
    assert {place.name: stored_version(place) for place in (path, copy)} == dict.fromkeys(
        (path.name, copy.name), f"{STORAGE_VERSION}+"
    )
    assert stored_version(newest) != f"{STORAGE_VERSION}+"  # the question can tell them apart


def stored_version(path: Path) -> str:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path = ?", [str(path)]
        ).fetchall()[0][0]


def test_reader_cannot_write(path: Path) -> None:
    with open_writer(path, "sample") as store:
        publish(store)
    with open_reader(path, "sample") as store, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        append_batch(store, long_batch("2018-12-28 06:00", 3, 1.0), "run")


def test_fault_of_our_own_passes_through_unexplained(path: Path) -> None:
    with pytest.raises(duckdb.CatalogException, match="no_such_table"), open_writer(path, "sample") as store:
        store.connection.execute("SELECT * FROM no_such_table")


def test_every_damaged_block_is_refused_or_was_not_in_use(path: Path) -> None:
    """DuckDB reads a block when a query needs it: what is found only then is explained as well."""
    everything = Known(at("2030-01-01 00:00"), 9)
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 4000, 1.0), "run")
        expected = read_prices(store, everything)
    whole = path.read_bytes()
    refusals = []
    for block in range(12288, len(whole), 262144):
        path.write_bytes(flipped(block + 1000)(whole))
        try:
            with open_writer(path, "sample") as store:
                assert read_prices(store, everything).equals(expected)
        except StoreError as error:
            refusals.append(str(error))
    assert len(refusals) >= 2
    assert all("cannot be used: " in said and "Corrupt" in said and "restore a backup" in said for said in refusals)


def test_reader_is_refused_with_the_reason_when_the_place_cannot_be_looked_at(path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be looked at \(Not a directory\): check DATA_DIR"):
        open_reader(path / "portfolio.duckdb", "sample").__enter__()


def test_closed_store_has_no_log_left_to_replay(path: Path) -> None:
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 300, 1.0), "run")
    assert not wal_path(path).exists()
    copied = shutil.copyfile(path, path.with_name("copied.duckdb"))
    with open_writer(copied, "sample") as store:
        assert newest_batch(store) == 1
        assert read_runs(store) == []
