from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from portfolio.store.connection import Store, open_reader, open_writer, published_path
from portfolio.store.engine import wal_path
from portfolio.store.prices import Known, append_batch, newest_batch, read_prices
from portfolio.store.publish import publish
from tests.support.store_batches import at, long_batch

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = """
SELECT schema_name, table_name, 'table' FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()
UNION ALL SELECT schema_name, view_name, 'view' FROM duckdb_views()
          WHERE NOT internal AND database_name = current_database()
UNION ALL SELECT schema_name, function_name, 'macro' FROM duckdb_functions()
          WHERE NOT internal AND database_name = current_database()
UNION ALL SELECT schema_name, table_name || constraint_text, constraint_type FROM duckdb_constraints()
          WHERE database_name = current_database()
ORDER BY ALL
"""


def test_published_copy_has_every_table_view_macro_constraint_and_row(path: Path) -> None:
    place = Known(at("2018-12-31 00:00"), 9)
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 40, 1.0), "run")
        publish(store)
        objects, prices = store.connection.execute(OBJECTS).fetchall(), read_prices(store, place)
    with open_reader(path, "sample") as copy:
        assert copy.path == published_path(path)
        assert copy.connection.execute(OBJECTS).fetchall() == objects
        assert read_prices(copy, place).equals(prices)
    kinds = [row[2] for row in objects]
    assert {kind: kinds.count(kind) for kind in ("table", "view", "macro", "PRIMARY KEY")} == {
        "table": 16,
        "view": 4,
        "macro": 3,
        "PRIMARY KEY": 14,
    }


def test_published_copy_answers_plain_sql_when_opened_by_another_tool(path: Path) -> None:
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 40, 1.0), "run")
        publish(store)
    with duckdb.connect(published_path(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM core.prices").fetchall() == [(40,)]
        assert connection.execute(
            "SELECT count(*) FROM core.prices_known(TIMESTAMPTZ '1990-01-11 05:00:00Z', 1)"
        ).fetchall() == [(10,)]
        assert connection.execute("SELECT count(*) FROM out.runs").fetchall() == [(0,)]


def test_reader_keeps_its_copy_and_a_new_one_sees_the_new_when_published_again(path: Path) -> None:
    with open_writer(path, "sample") as store:
        publish(store)
        with open_reader(path, "sample") as old:
            append_batch(store, long_batch("2018-12-28 06:00", 40, 1.0), "run")
            assert newest_batch(old) == 0
            publish(store)
            with open_reader(path, "sample") as new:
                assert (newest_batch(old), newest_batch(new)) == (0, 1)


def test_publishing_clears_what_a_killed_publisher_or_a_stray_writer_left(path: Path) -> None:
    copy = published_path(path)
    for leftover in (f"{copy.name}.building", f"{copy.name}.building.wal", wal_path(copy).name):
        path.with_name(leftover).write_bytes(b"left behind")
    with open_writer(path, "sample") as store:
        publish(store)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "portfolio.duckdb",
        "portfolio.duckdb.lock",
        "portfolio.published.duckdb",
    ]
    with open_reader(path, "sample") as published:
        assert newest_batch(published) == 0


def test_publishing_can_be_repeated_by_one_writer(store: Store) -> None:
    for batch in (1, 2, 3):
        append_batch(store, long_batch("2018-12-28 06:00", 5, float(batch)), "run")
        publish(store)
        with open_reader(store.path, "sample") as copy:
            assert newest_batch(copy) == batch
