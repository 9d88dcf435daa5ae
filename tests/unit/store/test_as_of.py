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
from portfolio.store.prices import Known, append_batch, read_prices, read_quarantined
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
a_doubt = st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 3), st.sampled_from(["{1}", "{2}"]))
a_batch = st.tuples(
    st.integers(0, 200),  # hours after START at which it was fetched, not always in order
    st.lists(type_of_row, max_size=6, unique_by=lambda row: row[:2]),
    st.lists(a_doubt, max_size=3, unique=True),
)
a_place = st.tuples(st.integers(-1, 220), st.integers(0, 6))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("as-of") / "template.duckdb"
    create_store(path, "sample")
    return path


def nominal(day: int, delay_hours: int) -> datetime:
    return START + timedelta(days=day + 1, hours=delay_hours)


def checked(
    fetched_hours: int, rows: list[tuple[str, int, float, int]], doubts: list[tuple[str, int, str]]
) -> CheckedBatch:
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
    return CheckedBatch("drawn", fetched_at, prices, EMPTY.actions, EMPTY.macro, doubtful(doubts), ())


def doubtful(doubts: list[tuple[str, int, str]]) -> pd.DataFrame:
    return drawn(
        "2018-01-01 00:00",
        quarantined=[(symbol, f"2018-01-{day + 1:02d}", "jump", payload) for symbol, day, payload in doubts],
    ).quarantined


class Oracle:
    """Every version and every doubt ever stored, in the order of arrival."""

    def __init__(self) -> None:
        self.versions: list[tuple[str, int, float, datetime, int]] = []
        self.doubts: list[tuple[str, int, str, datetime, int]] = []

    def newest(self, symbol: str, day: int) -> int:
        """The batch of the day's newest version, 0 when it was never believed."""
        return max((version[4] for version in self.versions if version[:2] == (symbol, day)), default=0)

    def doubt(
        self,
        batch_id: int,
        fetched_hours: int,
        rows: list[tuple[str, int, float, int]],
        doubts: list[tuple[str, int, str]],
    ) -> int:
        before = len(self.doubts)
        for symbol, day, payload in doubts:
            told = [doubt[4] for doubt in self.doubts if doubt[:3] == (symbol, day, payload)]
            newest = self.newest(symbol, day)
            believed_now = any(row[:2] == (symbol, day) for row in rows)
            if not told or (max(told) <= newest and not believed_now):
                at_fetch = START + timedelta(hours=fetched_hours)
                known_from = max(nominal(day, 0), at_fetch) if newest else nominal(day, 0)
                self.doubts.append((symbol, day, payload, known_from, batch_id))
        return len(self.doubts) - before

    def append(self, batch_id: int, fetched_hours: int, rows: list[tuple[str, int, float, int]]) -> int:
        fetched_at = START + timedelta(hours=fetched_hours)
        before = len(self.versions)
        for symbol, day, volume, delay in rows:
            earlier = [version for version in self.versions if version[:2] == (symbol, day)]
            if not earlier:
                self.versions.append((symbol, day, volume, nominal(day, delay), batch_id))
            elif repr(earlier[-1][2]) != repr(volume) or any(
                doubt[:2] == (symbol, day) and doubt[4] > earlier[-1][4] for doubt in self.doubts
            ):
                known_from = max(nominal(day, delay), fetched_at)
                self.versions.append((symbol, day, volume, known_from, batch_id))
        return len(self.versions) - before

    def read(self, cutoff: datetime, newest_batch: int) -> list[tuple[str, int, str, datetime, int]]:
        seen: dict[tuple[str, int], tuple[str, int, str, datetime, int]] = {}
        for symbol, day, volume, available_at, batch_id in self.versions:
            if available_at <= cutoff and batch_id <= newest_batch:
                seen[symbol, day] = (symbol, day, repr(volume), available_at, batch_id)
        return [seen[key] for key in sorted(seen)]

    def read_doubts(self, cutoff: datetime, newest_batch: int) -> list[tuple[str, int, str, datetime, int]]:
        return sorted(doubt for doubt in self.doubts if doubt[3] <= cutoff and doubt[4] <= newest_batch)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(a_batch, max_size=6), places=st.lists(a_place, min_size=1, max_size=5))
def test_prices_known_equal_the_oracle_at_every_instant_and_batch(
    template: Path, tmp_path_factory: pytest.TempPathFactory, batches: list, places: list
) -> None:
    path = tmp_path_factory.mktemp("store") / "portfolio.duckdb"
    shutil.copyfile(template, path)
    oracle = Oracle()
    with open_writer(path, "sample") as store:
        for batch_id, (fetched_hours, rows, doubts) in enumerate(batches, start=1):
            receipt = append_batch(store, checked(fetched_hours, rows, doubts), "run")
            assert receipt.batch_id == batch_id
            assert receipt.rows_quarantined == oracle.doubt(batch_id, fetched_hours, rows, doubts)
            assert receipt.rows_new == oracle.append(batch_id, fetched_hours, rows)
        for hours, newest_batch in places:
            cutoff = START + timedelta(hours=hours)
            frame = read_prices(store, Known(cutoff, newest_batch))
            assert read_as_drawn(frame.assign(volume=frame["volume"].map(repr)), "volume") == oracle.read(
                cutoff, newest_batch
            )
            doubted = read_quarantined(store, Known(cutoff, newest_batch))
            assert sorted(read_as_drawn(doubted, "payload")) == oracle.read_doubts(cutoff, newest_batch)


def read_as_drawn(frame: pd.DataFrame, value: str) -> list[tuple[str, int, str, datetime, int]]:
    return [
        (symbol, day.day - 1, seen, available_at.to_pydatetime(), batch_id)
        for symbol, day, seen, available_at, batch_id in zip(
            *(frame[name] for name in ("symbol", "observed_on", value, "available_at", "batch_id")), strict=True
        )
    ]
