from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.store.calendar import write_sessions
from portfolio.store.newest import newest_fetch, newest_macro_days, newest_price_days, recent_sessions
from portfolio.store.prices import append_batch
from tests.support.store_batches import at, drawn

if TYPE_CHECKING:
    from portfolio.store.connection import Store


def test_newest_days_and_fetch_are_absent_when_the_store_is_empty(store: Store) -> None:
    assert (newest_price_days(store), newest_macro_days(store), newest_fetch(store)) == ({}, {}, None)
    assert recent_sessions(store) == {}


def test_newest_days_are_the_last_of_each_series(store: Store) -> None:
    prices = [("^NDX", "2018-12-27", 1.0), ("^NDX", "2018-12-28", 1.0), ("^GSPC", "2018-12-26", 1.0)]
    append_batch(store, drawn("2018-12-29 06:00", prices, [("DGS10", "2018-12-26", 2.81)]), "run")
    append_batch(store, drawn("2018-12-28 06:00"), "run")
    assert newest_price_days(store) == {"^GSPC": date(2018, 12, 26), "^NDX": date(2018, 12, 28)}
    assert newest_macro_days(store) == {"DGS10": date(2018, 12, 26)}
    assert newest_fetch(store) == at("2018-12-29 06:00")


def test_recent_sessions_are_those_of_the_calendars_last_year(store: Store) -> None:
    days = ["2017-11-01", "2018-12-28", "2018-12-31"]
    opens = pd.to_datetime([f"{day} 08:00" for day in days], utc=True)
    frame = pd.DataFrame({"exchange": "XPAR", "session": pd.to_datetime(days), "opens_at": opens, "closes_at": opens})
    write_sessions(store, frame)
    assert recent_sessions(store) == {
        "XPAR": [(date(2018, 12, 28), at("2018-12-28 08:00")), (date(2018, 12, 31), at("2018-12-31 08:00"))]
    }
