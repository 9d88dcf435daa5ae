"""Belief in a price that was doubted: when it ends, when it is renewed, and who sees that."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.store.connection import open_writer
from portfolio.store.migrate import create_store
from portfolio.store.prices import Known, append_batch, read_prices, read_quarantined
from tests.support.store_batches import at, drawn

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from portfolio.sources.checks import CheckedBatch
    from portfolio.store.connection import Store

DAY = "2018-12-27"
GOOD = ("^GSPC", DAY, 2488.83)
DOUBT = ("^GSPC", DAY, "unit-flip", '{"close": 24.88}')
EVER = 99


def believing(fetched: str) -> CheckedBatch:
    return drawn(fetched, [GOOD])


def doubting(fetched: str) -> CheckedBatch:
    return drawn(fetched, quarantined=[DOUBT])


def appended(store: Store, *batches: CheckedBatch) -> list[tuple[int, int]]:
    """Append in turn; rows new and rows quarantined of each."""
    receipts = [append_batch(store, batch, "run") for batch in batches]
    return [(receipt.rows_new, receipt.rows_quarantined) for receipt in receipts]


def belief(store: Store, cutoff: str, newest_batch: int = EVER) -> dict[str, str]:
    """What a reader at that place thinks of each day it knows of, symbol and day as text."""
    known = Known(at(cutoff), newest_batch)
    believed, doubted = newest_by_day(read_prices(store, known)), newest_by_day(read_quarantined(store, known))
    return {
        day: "doubted" if doubted.get(day, 0) > believed.get(day, 0) else "believed" for day in {**believed, **doubted}
    }


def newest_by_day(frame: pd.DataFrame) -> dict[str, int]:
    """The newest batch with a row of each symbol and day."""
    days = (frame["symbol"] + " " + frame["observed_on"].dt.strftime("%m-%d")).tolist()
    newest: dict[str, int] = {}
    for day, batch_id in zip(days, frame["batch_id"].tolist(), strict=True):
        newest[day] = max(batch_id, newest.get(day, 0))
    return newest


def test_belief_ends_and_is_renewed_and_ends_again_each_from_its_fetch_on(store: Store) -> None:
    counts = appended(
        store,
        believing("2018-12-28 06:00"),
        doubting("2018-12-29 06:00"),
        believing("2018-12-30 06:00"),
        doubting("2018-12-31 06:00"),
        believing("2019-01-01 06:00"),
    )

    assert counts == [(1, 0), (0, 1), (1, 0), (0, 1), (1, 0)]
    for cutoff, word in (
        ("2018-12-28 05:00", "believed"),
        ("2018-12-29 05:59", "believed"),
        ("2018-12-29 06:00", "doubted"),
        ("2018-12-30 05:59", "doubted"),
        ("2018-12-30 06:00", "believed"),
        ("2018-12-31 05:59", "believed"),
        ("2018-12-31 06:00", "doubted"),
        ("2019-01-01 05:59", "doubted"),
        ("2019-01-01 06:00", "believed"),
    ):
        assert belief(store, cutoff) == {"^GSPC 12-27": word}, cutoff
    for newest_batch, word in ((1, "believed"), (2, "doubted"), (3, "believed"), (4, "doubted"), (5, "believed")):
        assert belief(store, "2019-06-01 00:00", newest_batch) == {"^GSPC 12-27": word}, newest_batch


def test_renewed_price_has_the_same_values_and_the_instant_of_its_fetch(store: Store) -> None:
    appended(store, believing("2018-12-28 06:00"), doubting("2018-12-29 06:00"), believing("2018-12-30 06:00"))
    before = read_prices(store, Known(at("2018-12-30 05:59"), EVER))
    after = read_prices(store, Known(at("2018-12-30 06:00"), EVER))

    given_by_the_fetch = ["available_at", "batch_id", "fetched_at"]
    assert after.drop(columns=given_by_the_fetch).equals(before.drop(columns=given_by_the_fetch))
    assert [before["available_at"][0], after["available_at"][0]] == [at("2018-12-28 05:00"), at("2018-12-30 06:00")]
    assert [before["batch_id"][0], after["batch_id"][0]] == [1, 3]


STORY = (
    believing("2018-12-28 06:00"),
    doubting("2018-12-29 06:00"),
    believing("2018-12-30 06:00"),
    doubting("2018-12-31 06:00"),
)


@pytest.mark.parametrize("told", [1, 2, 3, 4])
def test_batch_adds_nothing_when_it_repeats_the_last_word(store: Store, told: int) -> None:
    appended(store, *STORY[:told])
    again = replace(STORY[told - 1], fetched_at=at("2019-01-02 06:00"))

    assert appended(store, again, again) == [(0, 0), (0, 0)]


def test_renewal_is_of_the_doubted_row_only(store: Store) -> None:
    rows = [GOOD, ("^GSPC", "2018-12-26", 2467.70), ("^NDX", DAY, 6288.30)]
    action = drawn("2018-12-29 06:00", quarantined=[("^NDX", DAY, "bad-action-value", "{}")])
    appended(
        store,
        drawn("2018-12-28 06:00", rows),
        doubting("2018-12-29 06:00"),
        replace(action, quarantined=action.quarantined.assign(kind="action")),
        drawn("2018-12-29 06:00", quarantined=[("^GSPC", None, "no-date", "{}")]),
    )

    assert appended(store, drawn("2018-12-30 06:00", rows)) == [(1, 0)]
    assert store.connection.execute("SELECT symbol, observed_on FROM raw.prices WHERE batch_id = 5").fetchall() == [
        ("^GSPC", date(2018, 12, 27))
    ]


def test_doubt_ends_when_the_row_comes_back_with_other_values(store: Store) -> None:
    corrected = drawn("2018-12-30 06:00", [("^GSPC", DAY, 2489.00)])

    assert appended(store, *STORY[:2], corrected, corrected) == [(1, 0), (0, 1), (1, 0), (0, 0)]
    assert belief(store, "2018-12-30 06:00") == {"^GSPC 12-27": "believed"}


def test_day_is_believed_nominally_when_it_was_doubted_before_its_first_version(store: Store) -> None:
    appended(store, doubting("2018-12-28 06:00"), believing("2018-12-29 06:00"))

    assert belief(store, "2018-12-28 05:00", 1) == {"^GSPC 12-27": "doubted"}
    assert belief(store, "2018-12-28 05:00", 2) == {"^GSPC 12-27": "believed"}


def test_day_stays_believed_when_one_batch_brings_both_a_good_row_and_a_bad_one(store: Store) -> None:
    both = drawn("2018-12-29 06:00", [GOOD], quarantined=[DOUBT])

    assert appended(store, STORY[0], both, both, both) == [(1, 0), (1, 1), (0, 0), (0, 0)]
    assert belief(store, "2018-12-29 06:00") == {"^GSPC 12-27": "believed"}
    assert appended(store, STORY[3], replace(both, fetched_at=at("2019-01-01 06:00")), both) == [(0, 1), (1, 0), (0, 0)]
    assert belief(store, "2018-12-31 06:00") == {"^GSPC 12-27": "doubted"}
    assert belief(store, "2019-01-01 06:00") == {"^GSPC 12-27": "believed"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("renewal") / "template.duckdb"
    create_store(path, "sample")
    return path


a_day = st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["2018-01-02", "2018-01-03"]))
mentions = st.lists(
    st.tuples(
        st.dictionaries(a_day, st.sampled_from([1.0, 2.0]), max_size=3),  # believed closes
        st.sets(st.tuples(a_day, st.sampled_from(["{1}", "{2}"])), max_size=3),  # payloads of doubtful rows
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(batches=mentions)
def test_last_word_on_a_day_is_what_a_reader_sees_then_and_ever_after(
    template: Path, tmp_path_factory: pytest.TempPathFactory, batches: list
) -> None:
    path = tmp_path_factory.mktemp("store") / "portfolio.duckdb"
    shutil.copyfile(template, path)
    words: dict[str, str] = {}
    expected = []
    with open_writer(path, "sample") as store:
        for number, (closes, doubts) in enumerate(batches, start=1):
            fetched = f"2018-01-{10 + number} 06:00"
            batch = drawn(
                fetched,
                [(symbol, day, close) for (symbol, day), close in closes.items()],
                quarantined=[(symbol, day, "jump", payload) for (symbol, day), payload in sorted(doubts)],
            )
            append_batch(store, batch, "run")
            assert appended(store, batch) == [(0, 0)]
            words |= {f"{symbol} {day[5:]}": "doubted" for (symbol, day), _ in doubts}
            words |= {f"{symbol} {day[5:]}": "believed" for symbol, day in closes}
            expected.append((fetched, 2 * number, dict(words)))
            assert belief(store, fetched) == words
        for cutoff, newest_batch, seen_then in expected:
            assert belief(store, cutoff, newest_batch) == seen_then
