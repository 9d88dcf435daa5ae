"""How far the stored series and calendars reach, for the health checks.

Works without pandas, and without a single query parameter: DuckDB 1.5 imports pandas to look at the first one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portfolio.store.connection import Store

_NEWEST_PRICES = "SELECT symbol, max(observed_on) FROM raw.prices GROUP BY symbol ORDER BY symbol"
_NEWEST_MACRO = "SELECT series, max(observed_on) FROM raw.macro GROUP BY series ORDER BY series"
_NEWEST_FETCH = "SELECT max(fetched_at) FROM raw.batches"
_RECENT_SESSIONS = """
SELECT exchange, session, opens_at FROM core.trading_sessions
WHERE session >= (SELECT max(session) FROM core.trading_sessions) - INTERVAL 400 DAY
ORDER BY exchange, session
"""


def newest_price_days(store: Store) -> dict[str, date]:
    """Read each symbol's newest day with a price."""
    return dict(store.connection.execute(_NEWEST_PRICES).fetchall())


def newest_macro_days(store: Store) -> dict[str, date]:
    """Read each macro series' newest day with a value."""
    return dict(store.connection.execute(_NEWEST_MACRO).fetchall())


def newest_fetch(store: Store) -> datetime | None:
    """Read the instant of the newest fetch (UTC)."""
    instant = store.connection.execute(_NEWEST_FETCH).fetchall()[0][0]
    return instant.astimezone(UTC) if instant else None


def recent_sessions(store: Store) -> dict[str, list[tuple[date, datetime]]]:
    """Read the stored calendars' last year, by exchange: session and when it opens (UTC), oldest first."""
    calendars: dict[str, list[tuple[date, datetime]]] = {}
    for exchange, session, opens_at in store.connection.execute(_RECENT_SESSIONS).fetchall():
        calendars.setdefault(exchange, []).append((session, opens_at.astimezone(UTC)))
    return calendars
