"""What was known at an instant, against a plain oracle that keeps every version in a list."""

from __future__ import annotations

import math
import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.sources.batch import PRICE_DTYPES
from portfolio.sources.checks import CheckedBatch
from portfolio.store.connection import open_writer
from portfolio.store.migrate import create_store
from portfolio.store.prices import Known, append_batch, read_prices
from tests.support.store_batches import at, drawn

if TYPE_CHECKING:
    from pathlib import Path

START = at("2018-01-01 05:00")
EMPTY = drawn("2018-01-01 00:00")

type_of_row = st.tuples(
    st.sampled_from(["A", "B"]),
    st.integers(0, 3),  # day
    st.sampled_from([1.0, 2.0, math.nan]),  # volume, which may be missing
    st.sampled_from([0, 0, 0, 30]),  # hours by which the check delayed it
)
a_batch = st.tuples(
    st.integers(0, 200),  # hours after START at which it was fetched, not always in order
    st.lists(type_of_row, max_size=6, unique_by=lambda row: row[:2]),
)
a_place = st.tuples(st.integers(-1, 220), st.integers(0, 6))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("as-of") / "template.duckdb"
    create_store(path, "sample")
    return path


def nominal(day: int, delay_hours: int) -> datetime:
    return START + timedelta(days=day + 1, hours=delay_hours)


def checked(fetched_hours: int, rows: list[tuple[str, int, float, int]]) -> CheckedBatch:
    frame = pd.DataFrame(
        {
            "symbol": [row[0] for row in rows],
            "observed_on": [pd.Timestamp("2018-01-01") + pd.Timedelta(days=row[1]) for row in rows],
            "volume": [row[2] for row in rows],
            "available_at": [nominal(row[1], row[3]) for row in rows],
        }
    ).assign(open=1.0, high=1.0, low=1.0, close=1.0, currency="USD", basis="observed")
    prices = frame[list(PRICE_DTYPES)].astype(PRICE_DTYPES)
    fetched_at = START + timedelta(hours=fetched_hours)
    return CheckedBatch("drawn", fetched_at, prices, EMPTY.actions, EMPTY.macro, EMPTY.quarantined, ())


class Oracle:
    """Every version ever stored, in the order of arrival."""

    def __init__(self) -> None:
        self.versions: list[tuple[str, int, float, datetime, int]] = []

    def append(self, batch_id: int, fetched_hours: int, rows: list[tuple[str, int, float, int]]) -> int:
        fetched_at = START + timedelta(hours=fetched_hours)
        before = len(self.versions)
        for symbol, day, volume, delay in rows:
            earlier = [version for version in self.versions if version[:2] == (symbol, day)]
            if not earlier:
                self.versions.append((symbol, day, volume, nominal(day, delay), batch_id))
            elif repr(earlier[-1][2]) != repr(volume):
                known_from = max(nominal(day, delay), fetched_at)
                self.versions.append((symbol, day, volume, known_from, batch_id))
        return len(self.versions) - before

    def read(self, cutoff: datetime, newest_batch: int) -> list[tuple[str, int, str, datetime, int]]:
        seen: dict[tuple[str, int], tuple[str, int, str, datetime, int]] = {}
        for symbol, day, volume, available_at, batch_id in self.versions:
            if available_at <= cutoff and batch_id <= newest_batch:
                seen[symbol, day] = (symbol, day, repr(volume), available_at, batch_id)
        return [seen[key] for key in sorted(seen)]


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(a_batch, max_size=6), places=st.lists(a_place, min_size=1, max_size=5))
def test_prices_known_equal_the_oracle_at_every_instant_and_batch(
    template: Path, tmp_path_factory: pytest.TempPathFactory, batches: list, places: list
) -> None:
    path = tmp_path_factory.mktemp("store") / "portfolio.duckdb"
    shutil.copyfile(template, path)
    oracle = Oracle()
    with open_writer(path, "sample") as store:
        for batch_id, (fetched_hours, rows) in enumerate(batches, start=1):
            receipt = append_batch(store, checked(fetched_hours, rows), "run")
            assert receipt.batch_id == batch_id
            assert receipt.rows_new == oracle.append(batch_id, fetched_hours, rows)
        for hours, newest_batch in places:
            cutoff = START + timedelta(hours=hours)
            frame = read_prices(store, Known(cutoff, newest_batch))
            found = [
                (symbol, day.day - 1, repr(volume), available_at.to_pydatetime(), batch_id)
                for symbol, day, volume, available_at, batch_id in zip(
                    *(frame[name] for name in ("symbol", "observed_on", "volume", "available_at", "batch_id")),
                    strict=True,
                )
            ]
            assert found == oracle.read(cutoff, newest_batch)
