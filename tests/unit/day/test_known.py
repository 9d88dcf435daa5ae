"""What was known, as frames: values stand on the day a decision could first have used them."""

from __future__ import annotations

import pandas as pd

from portfolio.day.known import KnownData
from portfolio.sessions import macro_known_at

WANTED = frozenset({"DGS2"})
PRICES = pd.DataFrame(
    [
        ("A.PA", "2018-12-28", 10.0),
        ("A.PA", "2018-12-31", 11.0),
        ("B.PA", "2018-12-27", 5.0),
    ],
    columns=["symbol", "observed_on", "close"],
).astype({"observed_on": "datetime64[us]"})


def known(macro: list[tuple[str, str, float]]) -> KnownData:
    frame = pd.DataFrame(macro, columns=["series", "observed_on", "value"]).astype({"observed_on": "datetime64[us]"})
    frame["available_at"] = macro_known_at(frame["observed_on"].dt.date)
    return KnownData(PRICES, frame, pd.DataFrame(), 1)


def test_closes_have_a_column_for_each_symbol_asked_even_without_prices():
    closes = known([("DGS2", "2018-12-27", 2.5)]).closes(["B.PA", "A.PA", "C.PA"])
    assert list(closes.columns) == ["B.PA", "A.PA", "C.PA"]
    assert [f"{day:%m-%d}" for day in closes.index] == ["12-27", "12-28", "12-31"]
    assert closes["C.PA"].isna().all()


def test_last_closes_are_each_symbols_own_newest():
    assert known([("DGS2", "2018-12-27", 2.5)]).last_closes(["A.PA", "B.PA", "C.PA"]) == {"A.PA": 11.0, "B.PA": 5.0}


def test_macro_value_stands_on_the_day_whose_next_morning_it_was_known_by():
    days = pd.DatetimeIndex(["2018-12-27", "2018-12-28", "2018-12-31"])
    placed = known([("DGS2", "2018-12-26", 2.4), ("DGS2", "2018-12-27", 2.5), ("DGS2", "2018-12-28", 2.6)])
    table = placed.macro_by_known_day(days, WANTED)
    # Thursday's yield is printed on Friday evening: Friday's row is the first that could use it, and so on.
    assert table["DGS2"].to_dict() == {
        pd.Timestamp("2018-12-27"): 2.4,
        pd.Timestamp("2018-12-28"): 2.5,
        pd.Timestamp("2018-12-31"): 2.6,
    }


def test_macro_value_known_only_after_the_last_day_is_left_out():
    table = known([("DGS2", "2018-12-31", 2.7)]).macro_by_known_day(pd.DatetimeIndex(["2018-12-31"]), WANTED)
    assert table.empty


def test_newest_of_two_values_known_by_the_same_day_is_taken():
    table = known([("DGS2", "2018-12-24", 2.3), ("DGS2", "2018-12-26", 2.4)]).macro_by_known_day(
        pd.DatetimeIndex(["2018-12-21", "2018-12-28"]), WANTED
    )
    assert table["DGS2"].to_dict() == {pd.Timestamp("2018-12-28"): 2.4}
