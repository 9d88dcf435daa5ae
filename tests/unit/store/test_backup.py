from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.errors import ForeignStoreError, StoreError
from portfolio.store.backup import count_rows, fold_wal, read_contents
from portfolio.store.connection import open_writer
from portfolio.store.copy import copy_store
from portfolio.store.engine import wal_path
from portfolio.store.journal import RunStart, start_run
from portfolio.store.models import ModelRow, PromotionRow, append_model, append_promotion
from portfolio.store.prices import append_batch
from tests.support.store_batches import at, long_batch

if TYPE_CHECKING:
    from portfolio.store.connection import Store

MEND = "Choose another."


def start(run_id: str, session: date | None) -> RunStart:
    return RunStart(run_id, "run", session, at("2018-12-31 06:00"), "0", "sample", 1)


def promote(store: Store, *models: str) -> None:
    day = at("2018-12-28 06:00")
    for model in models:
        append_model(store, ModelRow(model, day, "run", day.date(), day.date(), passed=True, manifest="{}"))
        append_promotion(store, PromotionRow(model, day, "run", "[]"))


def test_contents_count_every_row_of_the_store_and_of_its_copy_alike(path, tmp_path):
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 40, 1.0), "run")
        start_run(store, start("one", date(2018, 12, 31)))
        start_run(store, start("two", None))
        copy_store(store, tmp_path / "copy.duckdb")
        counted = count_rows(store.connection)
    live, copy = read_contents(path, MEND), read_contents(tmp_path / "copy.duckdb", MEND)
    assert live == copy
    assert live.rows == counted
    assert (live.rows["raw.prices"], live.rows["raw.batches"], live.rows["out.run_starts"]) == (40, 1, 2)
    assert live.total_rows == sum(counted.values())
    assert (live.kind, live.schema, live.newest_session, live.roles) == ("sample", 1, date(2018, 12, 31), {})


@pytest.mark.parametrize(
    ("promoted", "roles"),
    [
        (["a"], {"champion": "a"}),
        (["a", "b"], {"champion": "b", "previous": "a"}),
        (["a", "b", "c"], {"champion": "c", "previous": "b"}),
        (["a", "b", "a"], {"champion": "a", "previous": "b"}),
    ],
)
def test_champion_and_the_one_before_it_are_in_office(path, promoted, roles):
    with open_writer(path, "sample") as store:
        promote(store, *promoted)
    assert read_contents(path, MEND).roles == roles


def test_log_that_does_not_fit_its_file_is_refused_and_left_there(path):
    with open_writer(path, "sample") as store:
        start_run(store, start("killed", None))
        log = wal_path(path).read_bytes()
    wal_path(path).write_bytes(log)
    before = path.read_bytes()
    with pytest.raises(StoreError):  # the log of an earlier state, beside the file it was folded into
        read_contents(path, MEND)
    assert (path.read_bytes(), wal_path(path).read_bytes()) == (before, log)


def test_rows_of_a_killed_writer_are_counted_in_the_log_and_after_it_was_folded_in(path, tmp_path):
    before = path.read_bytes()
    with open_writer(path, "sample") as store:
        start_run(store, start("killed", None))
        log = wal_path(path).read_bytes()
    killed = tmp_path / "killed.duckdb"
    killed.write_bytes(before)
    wal_path(killed).write_bytes(log)
    assert read_contents(killed, MEND).rows["out.run_starts"] == 1
    fold_wal(killed)
    assert not wal_path(killed).exists()
    assert read_contents(killed, MEND).rows["out.run_starts"] == 1


def test_unusable_file_is_told_with_what_to_do(path, tmp_path):
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(StoreError, match=MEND):
        read_contents(torn, MEND)
    with duckdb.connect(tmp_path / "theirs.duckdb") as connection:
        connection.execute("CREATE TABLE theirs (i INTEGER)")
    with pytest.raises(ForeignStoreError):
        read_contents(tmp_path / "theirs.duckdb", MEND)


def test_copy_replaces_what_a_killed_copier_left(store, tmp_path):
    target = tmp_path / "copy.duckdb"
    target.write_bytes(b"half")
    wal_path(target).write_bytes(b"half")
    copy_store(store, target)
    assert not wal_path(target).exists()
    assert read_contents(target, MEND).rows["core.migrations"] == 1
