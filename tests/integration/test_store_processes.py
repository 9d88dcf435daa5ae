"""The store among several processes: who may write, and what a kill -9 leaves."""

from __future__ import annotations

import multiprocessing
import random
import resource
import shutil
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.errors import StoreBusyError, StoreError
from portfolio.store.connection import open_reader, open_writer, published_path
from portfolio.store.engine import wal_path
from portfolio.store.lock import read_holder
from portfolio.store.migrate import create_store, migrate
from portfolio.store.prices import Known, append_batch, newest_batch, read_prices
from portfolio.store.publish import publish
from portfolio.store.schema import Migration, packaged_migrations
from tests.support import store_children
from tests.support.store_batches import at, long_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    import pandas as pd

ROWS = 4000  # a batch long enough for a kill to land inside it
EVERYTHING = Known(at("2030-01-01 00:00"), 10**9)

# Children are forked from a clean process that has the imports done: a kill costs milliseconds, not a start.
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["tests.support.store_children"])


@contextmanager
def child(work: Callable[..., None], path: Path, *more: object) -> Iterator[tuple[ForkServerProcess, Connection]]:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=work, args=(path, theirs, *more))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        ours.close()


def answer_of(pipe: Connection) -> object:
    assert pipe.poll(60)
    return pipe.recv()


def duration_s(work: Callable[..., None], path: Path, *more: object) -> float:
    with child(work, path, *more) as (_, pipe):
        assert answer_of(pipe) == "ready"
        started = time.perf_counter()
        assert answer_of(pipe) == "done"
        return time.perf_counter() - started


def killed(delay_s: float, work: Callable[..., None], path: Path, *more: object) -> bool:
    """Kill -9 the work that long after it began; tells whether it had ended by then."""
    with child(work, path, *more) as (process, pipe):
        assert answer_of(pipe) == "ready"
        time.sleep(delay_s)
        process.kill()
        process.join()
        return pipe.poll() and said(pipe) == "done"


def said(pipe: Connection) -> object:
    try:
        return pipe.recv()
    except EOFError:
        return None


def killed_stores(work: Callable[..., None], fresh: Callable[[str], Path], count: int, *more: object) -> Iterator[Path]:
    """Stores whose writer was killed at random instants, of which some lie before its end and some behind."""
    reach_s = duration_s(work, fresh("undisturbed"), *more)
    chance = random.Random(20181231)  # noqa: S311  # a repeatable spread, not cryptography
    for number in range(count):
        path = fresh(f"killed-{number}")
        ended = killed(chance.uniform(0, reach_s), work, path, *more)
        reach_s *= 0.8 if ended else 1.25  # other work on the machine must not push every kill to one side
        yield path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has one batch and its published copy."""
    folder = tmp_path_factory.mktemp("template")
    path = folder / "portfolio.duckdb"
    create_store(path, "sample")
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", ROWS // 2, 1.0), "run")
        publish(store)
    return folder


def copied(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder / "portfolio.duckdb"


def finished(path: Path) -> pd.DataFrame:
    """Complete the killed child's work and return what the store then holds."""
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-29 06:00", ROWS, 2.0), "rerun")
        publish(store)
    with open_reader(path, "sample") as store:
        return read_prices(store, EVERYTHING)


def test_second_process_cannot_write_while_the_first_holds_the_store_even_after_it_published(
    template: Path, tmp_path: Path
) -> None:
    path = copied(template, tmp_path / "store")
    with child(store_children.hold, path) as (holder, pipe):
        assert answer_of(pipe) == "ready"
        with child(store_children.try_to_write, path) as (_, other):
            by_lock, by_duckdb = answer_of(other)  # type: ignore[misc]  # a pair of texts
        assert f"process {holder.pid}" in by_lock
        assert "Could not set lock" in by_duckdb
        with open_reader(path, "sample") as store:  # readers are not in the way, nor is the writer in theirs
            assert newest_batch(store) == 2
            pipe.send("go on")
            assert answer_of(pipe) == "appended"
            assert newest_batch(store) == 2
        with pytest.raises(StoreBusyError), open_writer(path, "sample"):
            pytest.fail("two writers")
        pipe.send("end")
        with open_writer(path, "sample", wait_s=30) as store:
            assert newest_batch(store) == 3
            assert store.connection.execute("SELECT count(*) FROM raw.prices").fetchall() == [(ROWS // 2 + 50,)]


def test_lock_is_free_and_names_nobody_when_its_holder_was_killed(template: Path, tmp_path: Path) -> None:
    path = copied(template, tmp_path / "store")
    with child(store_children.hold, path) as (holder, pipe):
        assert answer_of(pipe) == "ready"
        found = read_holder(path)
        assert found is not None
        assert found.pid == holder.pid
        holder.kill()
        holder.join()
        assert read_holder(path) is None
        with open_writer(path, "sample") as store:
            assert newest_batch(store) == 2


def test_batch_is_whole_or_absent_and_a_rerun_completes_when_killed_at_any_point(
    template: Path, tmp_path: Path
) -> None:
    expected = finished(copied(template, tmp_path / "expected"))
    seen = set()
    for path in killed_stores(
        store_children.append_and_publish, lambda name: copied(template, tmp_path / name), 30, ROWS
    ):
        with open_reader(path, "sample") as store:
            published = newest_batch(store)
            assert len(read_prices(store, EVERYTHING)) == {1: ROWS // 2, 2: ROWS}[published]
        with open_writer(path, "sample") as store:
            batch = newest_batch(store)
            assert batch >= published
            assert store.connection.execute("SELECT count(*) FROM raw.prices WHERE batch_id = 2").fetchall() == [
                ({1: 0, 2: ROWS}[batch],)
            ]
        seen.add(batch)
        assert finished(path).equals(expected)
        assert sorted(entry.name for entry in path.parent.iterdir()) == sorted(
            entry.name for entry in template.iterdir()
        )
    assert seen == {1, 2}  # kills landed before the commit and after it


def test_store_is_there_or_not_and_a_rerun_completes_when_creation_was_killed(tmp_path: Path) -> None:
    seen = set()
    for path in killed_stores(store_children.create, lambda name: tmp_path / name / "portfolio.duckdb", 15):
        there = path.exists()
        seen.add(there)
        assert create_store(path, "sample") is not there
        with open_writer(path, "sample") as store:
            assert newest_batch(store) == 0
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["portfolio.duckdb", "portfolio.duckdb.lock"]
    assert seen == {False, True}  # kills landed before the store was there and after it


def test_store_has_the_old_schema_or_the_new_and_a_rerun_completes_when_migration_was_killed(
    template: Path, tmp_path: Path
) -> None:
    rewriting = Migration(
        2,
        "rewritten",
        1,
        "CREATE TABLE core.doubled AS SELECT * FROM raw.prices; CREATE INDEX d ON core.doubled (close)",
    )
    steps = (*packaged_migrations(), rewriting)
    seen = set()
    for path in killed_stores(store_children.migrate_with, lambda name: copied(template, tmp_path / name), 15, steps):
        with open_writer(path, "sample") as store:
            assert len(read_prices(store, EVERYTHING)) == ROWS // 2
        seen.add(len(migrate(path, "sample", migrations=steps)))
        with open_writer(path, "sample") as store:
            assert store.connection.execute("SELECT count(*) FROM core.doubled").fetchall() == [(ROWS // 2,)]
        assert path.with_name("portfolio.before-2.duckdb").exists()
        assert not list(path.parent.glob("*.building*"))
    assert seen == {0, 1}  # kills landed before the new schema was in place and after it


def test_committed_batch_is_replayed_when_the_writer_died_before_its_checkpoint(template: Path, tmp_path: Path) -> None:
    path = copied(template, tmp_path / "store")
    died(path)
    with open_writer(path, "sample") as store:
        assert newest_batch(store) == 2
        assert len(read_prices(store, EVERYTHING)) == ROWS // 2
    assert not wal_path(path).exists()


def died(path: Path) -> None:
    with child(store_children.commit_and_die, path, 100) as (process, pipe):
        assert answer_of(pipe) == "ready"
        process.join(30)
        assert process.exitcode == 9
    assert wal_path(path).stat().st_size > 1000


def test_last_transaction_is_dropped_when_the_log_is_torn_at_its_end(template: Path, tmp_path: Path) -> None:
    path = copied(template, tmp_path / "store")
    died(path)
    log = wal_path(path).read_bytes()
    wal_path(path).write_bytes(log[:-37])
    with open_writer(path, "sample") as store:
        assert newest_batch(store) == 1


@pytest.mark.parametrize("damage", ["flipped", "replaced", "another store's"])
def test_store_is_refused_and_left_alone_when_its_log_is_damaged(template: Path, tmp_path: Path, damage: str) -> None:
    path = copied(template, tmp_path / "store")
    died(path)
    log = wal_path(path).read_bytes()
    middle = len(log) // 2
    if damage == "flipped":
        wal_path(path).write_bytes(
            log[:middle] + bytes(byte ^ 0xFF for byte in log[middle : middle + 8]) + log[middle + 8 :]
        )
    elif damage == "replaced":
        wal_path(path).write_bytes(b"\x00" * len(log))
    else:
        path.unlink()
        create_elsewhere(tmp_path, path)
    before = {entry: entry.read_bytes() for entry in (path, wal_path(path))}
    with pytest.raises(StoreError, match=r"cannot be used: .*restore a backup"), open_writer(path, "sample"):
        pytest.fail("opened")
    assert {entry: entry.read_bytes() for entry in before} == before


def create_elsewhere(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other.duckdb"
    create_store(other, "sample")
    shutil.copyfile(other, path)


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to a size only, as on a disk that fills up."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", ["for no batch", "for no copy"])
def test_earlier_rows_stay_and_a_rerun_completes_when_the_disk_was_full(
    template: Path, tmp_path: Path, full_disk: Callable[[int], None], room: str
) -> None:
    path = copied(template, tmp_path / "store")
    full_disk(60_000 if room == "for no batch" else published_path(path).stat().st_size - 100_000)
    with pytest.raises(StoreError, match=r"failed while in use: .*File too large.*free space"):
        finished(path)
    full_disk(resource.RLIM_INFINITY)
    with open_reader(path, "sample") as store:
        assert newest_batch(store) == 1
    assert len(finished(path)) == ROWS


def test_program_that_reads_the_published_copy_does_not_disturb_the_writer(template: Path, tmp_path: Path) -> None:
    path = copied(template, tmp_path / "store")
    with duckdb.connect(published_path(path), read_only=True) as outsider:
        finished(path)
        assert outsider.execute("SELECT count(*) FROM core.prices").fetchall() == [(ROWS // 2,)]
