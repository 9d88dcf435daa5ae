"""Dividends and splits of Yahoo's charts: their days, their values, and what is none."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from portfolio.sources.yahoo_events import dividend_events, split_events
from tests.support.days import paris

if TYPE_CHECKING:
    import pandas as pd

PARIS = "Europe/Paris"
OPEN = int(paris("2024-06-05 09:00").timestamp())
MIDNIGHT = int(paris("2024-06-05 00:00").timestamp())  # 22:00 UTC of the day before


def days(rows: pd.DataFrame) -> list[date]:
    return [day.date() for day in rows["day"]]


@pytest.mark.parametrize("stamp", [OPEN, MIDNIGHT])
def test_an_event_stands_on_the_exchanges_day(stamp: int):
    told = {"dividends": {str(stamp): {"amount": 0.5, "date": stamp}}}
    assert days(dividend_events(told, PARIS, "EUR")) == [date(2024, 6, 5)]


def test_a_split_is_new_shares_for_one_old():
    told = {"splits": {"1": {"date": OPEN, "numerator": 3, "denominator": 2, "splitRatio": "3:2"}}}
    assert split_events(told, PARIS)["value"].tolist() == [1.5]


@pytest.mark.parametrize(
    ("currency", "has_value"),
    [({"currency": "USD"}, False), ({"currency": "EUR"}, True), ({"currency": ""}, True), ({}, True)],
)
def test_a_dividend_has_no_value_when_it_is_told_in_another_currency(currency: dict[str, str], *, has_value: bool):
    told = {"dividends": {"1": {"amount": 0.5, "date": OPEN} | currency}}
    assert dividend_events(told, PARIS, "EUR")["value"].notna().tolist() == [has_value]


@pytest.mark.parametrize("told", [{}, {"dividends": {}}, {"dividends": None, "splits": None}])
def test_no_events_are_no_rows_of_the_same_columns(told: dict[str, None]):
    for rows in (dividend_events(told, PARIS, "EUR"), split_events(told, PARIS)):
        assert rows.empty
        assert rows.dtypes.astype(str).to_dict() == {"day": "datetime64[us]", "value": "float64"}
