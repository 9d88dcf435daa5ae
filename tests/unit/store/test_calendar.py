from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.sessions import calendar_rows
from portfolio.store.calendar import write_sessions

if TYPE_CHECKING:
    from portfolio.store.connection import Store

ALL = "SELECT exchange, session, opens_at::TIMESTAMP, closes_at::TIMESTAMP FROM core.trading_sessions ORDER BY ALL"


def sessions(*days: str, closes: str = "16:30") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "exchange": "XPAR",
            "session": pd.to_datetime(list(days)),
            "opens_at": pd.to_datetime([f"{day} 08:00" for day in days], utc=True),
            "closes_at": pd.to_datetime([f"{day} {closes}" for day in days], utc=True),
        }
    )


def stored(store: Store) -> list[tuple[date, str]]:
    return [(row[1], f"{row[3]:%H:%M}") for row in store.connection.execute(ALL).fetchall()]


def test_sessions_are_written_once(store: Store) -> None:
    assert write_sessions(store, sessions("2018-12-28", "2018-12-31")) == 2
    assert write_sessions(store, sessions("2018-12-28", "2018-12-31")) == 0
    assert stored(store) == [(date(2018, 12, 28), "16:30"), (date(2018, 12, 31), "16:30")]


def test_sessions_follow_the_calendar_when_it_changes(store: Store) -> None:
    write_sessions(store, sessions("2018-12-28", "2018-12-31"))
    assert write_sessions(store, sessions("2018-12-28", "2018-12-31", closes="13:05")) == 4
    assert write_sessions(store, sessions("2018-12-31", closes="13:05")) == 1
    assert stored(store) == [(date(2018, 12, 31), "13:05")]


def test_sessions_beyond_the_frame_stay_when_an_earlier_horizon_is_written(store: Store) -> None:
    write_sessions(store, sessions("2018-12-28", "2018-12-31"))
    assert write_sessions(store, sessions("2018-12-28")) == 0
    assert len(stored(store)) == 2


def test_sessions_of_both_exchanges_are_written_from_the_real_calendars(store: Store) -> None:
    rows = calendar_rows(date(1990, 1, 5))
    assert write_sessions(store, rows) == len(rows)
    first = store.connection.execute(f"{ALL} LIMIT 1").fetchall()
    assert [str(value) for value in first[0]] == ["XNYS", "1990-01-02", "1990-01-02 14:30:00", "1990-01-02 21:00:00"]
