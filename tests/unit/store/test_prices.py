from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest

from portfolio.sources.batch import ACTION_DTYPES, MACRO_DTYPES, PRICE_DTYPES, QUARANTINE_DTYPES
from portfolio.store.prices import (
    Known,
    append_batch,
    newest_batch,
    read_actions,
    read_macro,
    read_prices,
    read_quarantined,
    read_splits,
)
from tests.support.store_batches import at, drawn

if TYPE_CHECKING:
    from portfolio.store.connection import Store

FIRST = drawn("2018-12-28 06:00", [("^GSPC", "2018-12-26", 2467.70), ("^GSPC", "2018-12-27", 2488.83)])


def known(cutoff: str, batch_id: int = 99) -> Known:
    return Known(at(cutoff), batch_id)


def closes(store: Store, place: Known) -> list[tuple[str, str, float]]:
    frame = read_prices(store, place)
    return list(zip(frame["symbol"], frame["observed_on"].dt.strftime("%m-%d"), frame["close"], strict=True))


def test_batch_adds_its_rows_when_they_are_new(store: Store) -> None:
    receipt = append_batch(store, FIRST, "run-1")
    assert (receipt.batch_id, receipt.rows_in, receipt.rows_new, receipt.rows_quarantined) == (1, 2, 2, 0)
    assert newest_batch(store) == 1
    assert closes(store, known("2018-12-31 00:00")) == [("^GSPC", "12-26", 2467.70), ("^GSPC", "12-27", 2488.83)]


def test_batch_adds_no_row_when_it_comes_again(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    again = append_batch(store, replace(FIRST, fetched_at=at("2018-12-30 06:00")), "run-2")
    assert (again.batch_id, again.rows_in, again.rows_new) == (2, 2, 0)
    assert store.connection.execute("SELECT count(*) FROM raw.prices").fetchall() == [(2,)]


def test_batch_adds_no_row_when_only_the_instant_it_is_known_from_differs(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    later = FIRST.prices.assign(available_at=FIRST.prices["available_at"] + pd.Timedelta(days=1))
    assert append_batch(store, replace(FIRST, prices=later), "run-2").rows_new == 0


def test_batch_keeps_one_row_when_the_same_row_stands_in_it_twice(store: Store) -> None:
    doubled = replace(FIRST, prices=pd.concat([FIRST.prices, FIRST.prices], ignore_index=True))
    assert append_batch(store, doubled, "run-1").rows_new == 2


def test_batch_leaves_no_row_when_two_of_its_rows_contradict_each_other(store: Store) -> None:
    torn = drawn("2018-12-28 06:00", [("^GSPC", "2018-12-27", 1.0), ("^GSPC", "2018-12-27", 2.0)])
    with pytest.raises(duckdb.ConstraintException):
        append_batch(store, torn, "run-1")
    assert newest_batch(store) == 0
    assert closes(store, known("2019-01-01 00:00")) == []


def test_correction_is_known_only_from_its_fetch_on_when_it_arrives_later(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    append_batch(store, drawn("2018-12-30 09:30", [("^GSPC", "2018-12-27", 2489.00)]), "run-2")
    before, after = known("2018-12-30 09:29"), known("2018-12-30 09:30")
    assert closes(store, before)[1] == ("^GSPC", "12-27", 2488.83)
    assert closes(store, after)[1] == ("^GSPC", "12-27", 2489.00)


def test_correction_stays_unseen_when_only_the_batches_before_it_are_asked_for(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    append_batch(store, drawn("2018-12-30 09:30", [("^GSPC", "2018-12-27", 2489.00)]), "run-2")
    assert closes(store, known("2019-06-01 00:00", batch_id=1))[1] == ("^GSPC", "12-27", 2488.83)


def test_correction_adds_a_third_version_when_it_is_taken_back(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    append_batch(store, drawn("2018-12-30 09:30", [("^GSPC", "2018-12-27", 2489.00)]), "run-2")
    receipt = append_batch(store, replace(FIRST, fetched_at=at("2018-12-31 06:00")), "run-3")
    assert receipt.rows_new == 1
    assert closes(store, known("2018-12-31 06:00"))[1] == ("^GSPC", "12-27", 2488.83)
    assert closes(store, known("2018-12-31 05:59"))[1] == ("^GSPC", "12-27", 2489.00)


@pytest.mark.parametrize("column", ["open", "high", "low", "volume"])
def test_correction_is_stored_when_a_value_is_no_longer_given(store: Store, column: str) -> None:
    given = replace(FIRST, prices=FIRST.prices.assign(**{column: 5.0}))
    append_batch(store, given, "run-1")
    assert append_batch(store, given, "run-2").rows_new == 0
    missing = replace(FIRST, prices=FIRST.prices.assign(**{column: math.nan}), fetched_at=at("2018-12-30 06:00"))
    assert append_batch(store, missing, "run-3").rows_new == 2
    assert append_batch(store, missing, "run-4").rows_new == 0
    assert read_prices(store, known("2018-12-31 00:00"))[column].isna().all()


@pytest.mark.parametrize(("column", "value"), [("currency", "EUR"), ("basis", "reconstructed")])
def test_correction_is_stored_when_a_label_changes(store: Store, column: str, value: str) -> None:
    append_batch(store, FIRST, "run-1")
    assert append_batch(store, replace(FIRST, prices=FIRST.prices.assign(**{column: value})), "run-2").rows_new == 2


def test_first_version_keeps_its_own_instant_when_it_was_delayed(store: Store) -> None:
    delayed = FIRST.prices.assign(available_at=pd.Timestamp("2018-12-29 05:00", tz="UTC"))
    append_batch(store, replace(FIRST, prices=delayed), "run-1")
    assert closes(store, known("2018-12-29 04:59")) == []
    assert len(closes(store, known("2018-12-29 05:00"))) == 2


def test_macro_and_actions_are_versioned_like_prices_when_corrected(store: Store) -> None:
    first = drawn(
        "2018-12-28 06:00", macro=[("DGS10", "2018-12-26", 2.81)], actions=[("LQQ.PA", "2018-12-26", "split", 200.0)]
    )
    changed = drawn(
        "2018-12-30 06:00", macro=[("DGS10", "2018-12-26", 2.82)], actions=[("LQQ.PA", "2018-12-26", "split", 20.0)]
    )
    assert append_batch(store, first, "run-1").rows_new == 2
    assert append_batch(store, changed, "run-2").rows_new == 2
    assert append_batch(store, changed, "run-3").rows_new == 0
    for place, macro, split in (("2018-12-29 06:00", 2.81, 200.0), ("2018-12-30 06:00", 2.82, 20.0)):
        assert read_macro(store, known(place))["value"].tolist() == [macro]
        assert read_actions(store, known(place))["value"].tolist() == [split]


def test_dividend_and_split_stand_side_by_side_when_on_one_day(store: Store) -> None:
    rows = [("LQQ.PA", "2018-12-26", "split", 2.0), ("LQQ.PA", "2018-12-26", "dividend", 0.5)]
    append_batch(store, drawn("2018-12-28 06:00", actions=rows), "run-1")
    actions = read_actions(store, known("2018-12-28 06:00"))
    assert actions["kind"].tolist() == ["dividend", "split"]


def test_splits_are_those_known_then_by_day_and_nothing_else(store: Store) -> None:
    rows = [
        ("LQQ.PA", "2018-12-27", "split", 200.0),
        ("CL2.PA", "2018-12-27", "split", 0.1),
        ("LQQ.PA", "2018-12-27", "dividend", 0.5),
        ("PUST.PA", "2018-12-26", "split", 2.0),
    ]
    append_batch(store, drawn("2018-12-28 06:00", actions=rows), "run-1")
    append_batch(store, drawn("2018-12-30 06:00", actions=[("LQQ.PA", "2018-12-27", "split", 20.0)]), "run-2")
    pust, cl2 = ("PUST.PA", date(2018, 12, 26), 2.0), ("CL2.PA", date(2018, 12, 27), 0.1)
    assert read_splits(store, known("2018-12-27 05:00")) == [pust]
    assert read_splits(store, known("2018-12-29 06:00")) == [pust, cl2, ("LQQ.PA", date(2018, 12, 27), 200.0)]
    assert read_splits(store, known("2018-12-30 06:00")) == [pust, cl2, ("LQQ.PA", date(2018, 12, 27), 20.0)]
    assert read_splits(store, known("2018-12-30 06:00", 1))[2][2] == 200.0
    assert read_splits(store, known("2018-12-27 04:59")) == []


def test_quarantined_row_is_kept_once_when_it_comes_again(store: Store) -> None:
    rows = [("^GSPC", "2018-12-27", "nan-close", "{}"), ("^GSPC", None, "undated", "{}")]
    assert append_batch(store, drawn("2018-12-28 06:00", quarantined=rows), "run-1").rows_quarantined == 2
    assert append_batch(store, drawn("2018-12-29 06:00", quarantined=rows), "run-2").rows_quarantined == 0
    assert (
        append_batch(
            store, drawn("2018-12-29 06:00", quarantined=[("^GSPC", "2018-12-27", "nan-close", "{1}")]), "r"
        ).rows_quarantined
        == 1
    )
    kept = read_quarantined(store, known("2018-12-29 06:00"))
    assert kept["rule"].tolist() == ["nan-close", "nan-close", "undated"]
    assert kept["batch_id"].tolist() == [1, 3, 1]
    assert kept["observed_on"].isna().tolist() == [False, False, True]


def test_quarantined_row_doubts_a_believed_one_only_from_its_fetch_on(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    doubts = [("^GSPC", "2018-12-27", "unit-flip", "{}"), ("^GSPC", "2018-12-28", "nan-close", "{}")]
    append_batch(store, drawn("2018-12-31 06:00", quarantined=doubts), "run-2")
    assert read_quarantined(store, known("2018-12-31 05:59"))["rule"].tolist() == ["nan-close"]
    assert read_quarantined(store, known("2018-12-31 06:00"))["rule"].tolist() == ["unit-flip", "nan-close"]


def test_reading_gives_only_the_symbols_asked_for(store: Store) -> None:
    rows = [("^NDX", "2018-12-27", 6288.3), ("^GSPC", "2018-12-27", 2488.83), ("it's; --", "2018-12-27", 1.0)]
    append_batch(store, drawn("2018-12-28 06:00", rows), "run-1")
    place = known("2018-12-28 06:00")
    assert read_prices(store, place, ["^NDX", "it's; --"])["symbol"].tolist() == ["^NDX", "it's; --"]
    assert read_prices(store, place, [])["symbol"].tolist() == []
    assert read_prices(store, place)["symbol"].tolist() == ["^GSPC", "^NDX", "it's; --"]


@pytest.mark.parametrize("filled", [False, True])
def test_reading_gives_the_declared_columns_when_there_are_rows_or_none(store: Store, filled: bool) -> None:  # noqa: FBT001  # a case
    if filled:
        append_batch(
            store,
            drawn(
                "2018-12-28 06:00",
                [("^GSPC", "2018-12-27", 2488.83)],
                [("DGS10", "2018-12-26", 2.81)],
                [("LQQ.PA", "2018-12-26", "split", 200.0)],
                [("^NDX", "2018-12-27", "nan-close", "{}")],
            ),
            "run-1",
        )
    seen = {"batch_id": "int64", "fetched_at": "datetime64[us, UTC]"}
    place = known("2018-12-28 06:00")
    for read, dtypes in (
        (read_prices, PRICE_DTYPES),
        (read_macro, MACRO_DTYPES),
        (read_actions, ACTION_DTYPES),
        (read_quarantined, QUARANTINE_DTYPES),
    ):
        frame = read(store, place)
        assert len(frame) == int(filled)
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == dtypes | seen
        assert (frame["fetched_at"] == at("2018-12-28 06:00")).all()


def test_stored_values_come_back_to_the_bit(store: Store) -> None:
    awkward = [0.1 + 0.2, 1e-308, 5e-324, 1.7976931348623157e308, 2488.8299999999999272404238581657]
    rows = [("^GSPC", f"2018-12-{day:02d}", value) for day, value in enumerate(awkward, start=10)]
    append_batch(store, drawn("2018-12-28 06:00", rows), "run-1")
    assert read_prices(store, known("2018-12-28 06:00"))["close"].tolist() == awkward


def test_instant_without_a_zone_is_refused(store: Store) -> None:
    naive = datetime(2018, 12, 28, 6)  # noqa: DTZ001  # the fault under test
    with pytest.raises(ValueError, match=r"Known.cutoff is 2018-12-28T06:00:00: instants are aware"):
        read_prices(store, Known(naive, 1))
    with pytest.raises(ValueError, match="fetched_at"):
        append_batch(store, replace(FIRST, fetched_at=naive), "run-1")


def test_views_show_the_newest_versions_when_read_with_plain_sql(store: Store) -> None:
    append_batch(store, FIRST, "run-1")
    append_batch(store, drawn("2018-12-30 09:30", [("^GSPC", "2018-12-27", 2489.00)]), "run-2")
    newest = store.connection.execute("SELECT close, batch_id FROM core.prices ORDER BY observed_on").fetchall()
    assert newest == [(2467.70, 1), (2489.00, 2)]
