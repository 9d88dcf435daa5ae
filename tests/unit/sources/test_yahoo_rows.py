"""Yahoo's chart as rows: what splits and 32-bit floats did to it is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.sources.batch import ACTION_DTYPES, PRICE_DTYPES
from portfolio.sources.yahoo import YahooAnswer
from portfolio.sources.yahoo_rows import action_rows, as_printed, price_rows
from tests.unit.sources.tables import MONDAY, sessions_from

if TYPE_CHECKING:
    from datetime import date

LINE = "PE500.PA"
DAYS = sessions_from(MONDAY, 4, LINE)
NOTHING = pd.DataFrame({"day": pd.DatetimeIndex([]), "value": pd.Series(dtype="float64")})


def events(*told: tuple[date, float]) -> pd.DataFrame:
    return pd.DataFrame({"day": pd.DatetimeIndex([day for day, _ in told]), "value": [value for _, value in told]})


def as_sent(values: list[float]) -> np.ndarray:
    """32-bit floats, printed in full."""
    return np.array(values, dtype="float32").astype("float64")


def answer(
    closes: list[float],
    splits: pd.DataFrame = NOTHING,
    dividends: pd.DataFrame = NOTHING,
    volumes: tuple[int, ...] = (100, 200, 300, 400),
    live_close: float | None = None,
) -> YahooAnswer:
    bars = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), as_sent(closes)), pd.DatetimeIndex(DAYS))
    return YahooAnswer(bars.assign(Volume=volumes), dividends, splits, "EUR", live_close)


def test_prices_and_volumes_are_those_of_each_day_when_splits_followed():
    # 3:1 on the second day and 2:1 on the fourth: a share of the first day became six
    told = answer(
        [100.02 / 6, 33.35 / 2, 33.41 / 2, 16.71], events((DAYS[1], 3.0), (DAYS[3], 2.0)), volumes=(600, 400, 600, 400)
    )
    rows = price_rows(LINE, told)
    assert rows["close"].tolist() == [100.02, 33.35, 33.41, 16.71]
    assert rows["volume"].tolist() == [100.0, 200.0, 300.0, 400.0]
    assert (rows[["open", "high", "low"]].to_numpy() == rows[["close"]].to_numpy()).all()


def test_prices_are_those_of_each_day_when_a_reverse_split_followed():
    rows = price_rows(LINE, answer([5.0, 5.1, 50.0, 51.0], events((DAYS[2], 0.01))))
    assert rows["close"].tolist() == [0.05, 0.051, 50.0, 51.0]


def test_dividends_are_those_of_each_days_share_when_a_split_followed():
    told = answer([1.0] * 4, events((DAYS[2], 4.0)), events((DAYS[0], 0.1925), (DAYS[2], 0.2), (DAYS[3], 0.21)))
    rows = action_rows(LINE, told)
    assert list(zip(rows["observed_on"].dt.date, rows["kind"], rows["value"], strict=True)) == [
        (DAYS[0], "dividend", 0.77),
        (DAYS[2], "dividend", 0.2),
        (DAYS[2], "split", 4.0),
        (DAYS[3], "dividend", 0.21),
    ]


@pytest.mark.parametrize("ratio", [float("inf"), float("nan"), 0.0, -2.0])
def test_prices_stay_as_they_came_when_a_split_cannot_be(ratio: float):
    told = answer([10.0, 11.0, 12.0, 13.0], events((DAYS[3], ratio)))
    assert price_rows(LINE, told)["close"].tolist() == [10.0, 11.0, 12.0, 13.0]
    assert len(action_rows(LINE, told)) == 1  # for the gate to judge


def test_rows_have_the_columns_and_instants_of_a_batch():
    rows, actions = price_rows(LINE, answer([1.0] * 4)), action_rows(LINE, answer([1.0] * 4))
    assert (
        rows.dtypes.astype(str).to_dict()
        == pd.DataFrame(columns=list(PRICE_DTYPES)).astype(PRICE_DTYPES).dtypes.astype(str).to_dict()
    )
    assert (
        actions.dtypes.astype(str).to_dict()
        == pd.DataFrame(columns=list(ACTION_DTYPES)).astype(ACTION_DTYPES).dtypes.astype(str).to_dict()
    )
    assert rows["available_at"].iloc[0] == pd.Timestamp("2024-06-04 06:00", tz="Europe/Paris")
    assert set(rows["basis"]) == {"observed"}


def test_a_missing_close_stays_missing():
    assert price_rows(LINE, answer([1.0, float("nan"), 2.0, 3.0]))["close"].isna().tolist() == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(("live_close", "rows"), [(None, 4), (13.0, 4), (float("nan"), 4), (12.9, 5)])
def test_a_second_bar_of_the_newest_day_comes_as_a_row_when_its_close_differs(live_close: float | None, rows: int):
    told = price_rows(LINE, answer([10.0, 11.0, 12.0, 13.0], live_close=live_close))
    assert len(told) == rows
    assert told["close"].tolist()[4:] == ([12.9] if rows == 5 else [])


@given(
    st.integers(1_000, 999_999),  # six digits
    st.integers(0, 4),
    st.sampled_from([1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 200.0, 0.1, 0.25, 1.5, 1.1]),
)
def test_a_price_of_six_digits_is_itself_again_whatever_it_was_divided_by(digits: int, places: int, ratio: float):
    price = digits / 10**places
    assert as_printed(as_sent([price / ratio]) * ratio).tolist() == [price]


def test_an_index_of_seven_digits_keeps_them():
    assert as_printed(as_sent([25123.45, 8712.347])).tolist() == [25123.45, 8712.347]
