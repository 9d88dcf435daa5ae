"""The store's copy of the trading calendars, for plain SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.store.prices import incoming

if TYPE_CHECKING:
    from pandas import DataFrame

    from portfolio.store.connection import Store

_DIFFERENT = """
WITH given AS (SELECT exchange, session::DATE AS session, opens_at, closes_at FROM incoming),
     stored AS (SELECT * FROM core.trading_sessions WHERE session <= (SELECT max(session) FROM given))
SELECT count(*) FROM (
    (SELECT * FROM given EXCEPT SELECT * FROM stored) UNION ALL (SELECT * FROM stored EXCEPT SELECT * FROM given)
)
"""
_CLEAR = "DELETE FROM core.trading_sessions WHERE session <= (SELECT max(session)::DATE FROM incoming)"
_FILL = """
INSERT INTO core.trading_sessions
SELECT exchange, session::DATE, opens_at, closes_at FROM incoming ORDER BY exchange, session
"""


def write_sessions(store: Store, sessions: DataFrame) -> int:
    """Make the calendars up to the frame's last session equal to it; returns how many rows differed before.

    The frame is that of `portfolio.sessions.calendar_rows`: exchange, session, opens_at and closes_at (UTC). The
    calendars are computed, not observed, so they are the one table that is replaced instead of appended to.
    """
    with store.transaction(), incoming(store, sessions):
        different = store.connection.execute(_DIFFERENT).fetchall()[0][0]
        if different:
            store.connection.execute(_CLEAR)
            store.connection.execute(_FILL)
    return different
