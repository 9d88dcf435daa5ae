"""What a series looks like as believed at a moment: fresh or stale, whole or with gaps, sure or doubted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sessions import (
    PARIS,
    last_session_on_or_before,
    macro_known_at,
    price_known_at,
    sessions_apart,
    sessions_between,
)
from portfolio.sources.checks_doubt import doubtful_prices
from portfolio.sources.checks_stuck import carried_forward
from portfolio.sources.quarantine import DOUBT_SESSIONS, RECENT_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portfolio.sessions import Moment
    from portfolio.universe import Universe

MACRO_EXCHANGE = "XNYS"  # the days FRED's market series are observed on
MACRO_CARRIED_SESSIONS = 3  # how long an optional macro value may be carried
# A missing session of a driver merges two days' returns into one and stays in its volatility for 22 closes. Real
# histories lack none (^NDX and ^GSPC, 1990 on, 8 751 sessions): asking for all of them costs nothing.
DRIVER_WHOLE_SESSIONS = 5
DRIVER_WINDOW_SESSIONS = 22  # closes of the 21 returns that the month's volatility is taken over
DRIVER_GAPS_ALLOWED = 1
GAPS_WORTH_WARNING = 0.01  # share of a series' sessions that may lack before the gaps are more than a note
LOOK_BACK_DAYS = 21  # longer than any market holiday plus the macro delay


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a series reaches and how far it should; `observed_on` None when nothing is believed of it."""

    symbol: str
    kind: Literal["price", "macro"]
    observed_on: date | None
    expected_on: date
    sessions_behind: int | None  # None when nothing is believed
    basis: str  # the newest row's; "" for macro and for nothing


def check_known(
    prices: pd.DataFrame,
    macro: pd.DataFrame,
    quarantined: pd.DataFrame,
    universe: Universe,
    moment: Moment,
    macro_wanted: frozenset[str],
) -> tuple[Finding, ...]:
    """Find what is wrong with the series as believed at a moment.

    Parameters
    ----------
    prices, macro, quarantined : DataFrame
        Rows known at the moment (PRICE_COLUMNS, MACRO_COLUMNS, QUARANTINE_COLUMNS; more columns do no harm). With
        `batch_id` in prices and quarantined a row that contradicts one believed in an earlier batch throws doubt on it.
    universe : Universe
        Every instrument and driver is looked at.
    moment : Moment
        What counts as fresh.
    macro_wanted : frozenset of str
        The macro series that something uses; the others are not looked at.

    Returns
    -------
    tuple of Finding
        An ERROR names its series; whether it blocks the day is for `blocking` and what is needed.
    """
    findings: list[Finding] = []
    drivers = {item.symbol for item in universe.drivers}
    for state in freshness(prices, macro, universe, moment, macro_wanted):
        findings += _stale(state)
        if state.kind == "price" and state.observed_on:
            rows = prices[prices["symbol"] == state.symbol].sort_values("observed_on")
            doubted = quarantined[(quarantined["symbol"] == state.symbol) & (quarantined["kind"] == "price")]
            exchange = universe.exchanges[state.symbol]
            driver = state.symbol in drivers
            findings += _missing_of_driver(state, rows, exchange) if driver else _missing(state, rows, exchange, moment)
            findings += carried_forward(state.symbol, rows, driver=driver)
            findings += doubtful_prices(
                state.symbol, rows, doubted, _last_sessions(exchange, state.expected_on, DOUBT_SESSIONS)
            )
    return tuple(findings)


def freshness(
    prices: pd.DataFrame, macro: pd.DataFrame, universe: Universe, moment: Moment, macro_wanted: frozenset[str]
) -> tuple[Freshness, ...]:
    """Tell for each price series, and each wanted macro series, its newest believed day and the one expected.

    Expected of a price: the later of its exchange's last session up to `as_of` and the last whose close could be known
    at `decided_at`. Expected of a macro value: the last session whose value could be known.
    """
    newest = _newest(prices, "symbol")
    states = [
        _freshness(symbol, "price", newest.get(symbol), expected_price_day(exchange, moment), exchange)
        for symbol, exchange in universe.exchanges.items()
    ]
    newest = _newest(macro, "series")
    expected = last_known_session(MACRO_EXCHANGE, moment, macro_known_at)
    states += [_freshness(name, "macro", newest.get(name), expected, MACRO_EXCHANGE) for name in sorted(macro_wanted)]
    return tuple(states)


def _newest(frame: pd.DataFrame, key: str) -> dict[str, tuple[date, str]]:
    """Newest day and basis of each series."""
    rows = frame.sort_values("observed_on").drop_duplicates(key, keep="last")
    bases = rows["basis"] if "basis" in rows else [""] * len(rows)
    return {
        str(name): (day.date(), str(basis))
        for name, day, basis in zip(rows[key], rows["observed_on"], bases, strict=True)
    }


def expected_price_day(exchange: str, moment: Moment) -> date:
    """Return the day up to which a price series must reach at a moment."""
    return max(last_session_on_or_before(exchange, moment.as_of), last_known_session(exchange, moment, price_known_at))


def last_known_session(exchange: str, moment: Moment, known_at: Callable[..., pd.DatetimeIndex]) -> date:
    """Return the exchange's last session whose value could be known at the moment."""
    today = moment.decided_at.astimezone(PARIS).date()
    sessions = sessions_between(exchange, today - timedelta(days=LOOK_BACK_DAYS), today)
    return [day for day, instant in zip(sessions, known_at(sessions), strict=True) if instant <= moment.decided_at][-1]


def _freshness(
    symbol: str, kind: Literal["price", "macro"], newest: tuple[date, str] | None, expected: date, exchange: str
) -> Freshness:
    if newest is None:
        return Freshness(symbol, kind, None, expected, None, "")
    day, basis = newest
    return Freshness(symbol, kind, day, expected, max(sessions_apart(exchange, day, expected), 0), basis)


def _stale(state: Freshness) -> list[Finding]:
    if state.observed_on is None:
        message = f"{state.symbol}: no row is believed; {state.expected_on} was expected. Fetch it, see the quarantine."
        return [Finding(Severity.ERROR, "no-series", state.symbol, message)]
    behind = state.sessions_behind or 0
    if behind == 0:
        return []
    carried = state.kind == "macro" and behind <= MACRO_CARRIED_SESSIONS
    rule, severity = ("carried-macro", Severity.WARNING) if carried else ("stale-series", Severity.ERROR)
    allowed = f"at most {MACRO_CARRIED_SESSIONS} sessions" if state.kind == "macro" else "no session"
    message = (
        f"{state.symbol}: the newest believed row is of {state.observed_on}, {behind} sessions before "
        f"{state.expected_on}; {allowed} may lack. Fetch again, see the quarantine."
    )
    return [Finding(severity, rule, state.symbol, message, state.expected_on, str(behind))]


def _missing(state: Freshness, rows: pd.DataFrame, exchange: str, moment: Moment) -> Iterable[Finding]:
    """Look for gaps in an instrument's line: an error when the day needed lacks, else a warning."""
    gaps, sessions = _gaps(rows, exchange)
    if not gaps:
        return
    recent_from = _sessions_back(exchange, state.expected_on, RECENT_SESSIONS)
    needed = last_session_on_or_before(exchange, moment.as_of)
    for day in (gap for gap in gaps if gap >= recent_from):
        severity = Severity.ERROR if day == needed else Severity.WARNING
        message = f"{state.symbol}: no believed row of {day}, a session of {exchange}; it may come later, fetch again."
        yield Finding(severity, "missing-session", state.symbol, message, day)
    if older := [gap for gap in gaps if gap < recent_from]:
        yield _old_gaps(state.symbol, older, sessions)


def _missing_of_driver(state: Freshness, rows: pd.DataFrame, exchange: str) -> Iterable[Finding]:
    """Look for gaps in a driver: its newest days and its volatility must stand on sessions that are there."""
    gaps, sessions = _gaps(rows, exchange)
    if not gaps:
        return
    newest_from = _sessions_back(exchange, state.expected_on, DRIVER_WHOLE_SESSIONS)
    window_from = _sessions_back(exchange, state.expected_on, DRIVER_WINDOW_SESSIONS)
    recent = [gap for gap in gaps if gap >= window_from]
    for day in recent:
        severity = Severity.ERROR if day >= newest_from or len(recent) > DRIVER_GAPS_ALLOWED else Severity.WARNING
        message = (
            f"{state.symbol}: no believed row of {day}, a session of {exchange}; of a driver none of the last "
            f"{DRIVER_WHOLE_SESSIONS} sessions may lack, and {DRIVER_GAPS_ALLOWED} of the last "
            f"{DRIVER_WINDOW_SESSIONS} ({len(recent)} do): fetch again, see the quarantine."
        )
        yield Finding(severity, "missing-session", state.symbol, message, day)
    if older := [gap for gap in gaps if gap < window_from]:
        yield _old_gaps(state.symbol, older, sessions)


def _gaps(rows: pd.DataFrame, exchange: str) -> tuple[list[date], int]:
    """Sessions without a row between a series' first and last, and the count of all of them."""
    observed = pd.DatetimeIndex(rows["observed_on"])
    sessions = sessions_between(exchange, observed[0].date(), observed[-1].date())
    return [day.date() for day in pd.DatetimeIndex(sessions).difference(observed)], len(sessions)


def _sessions_back(exchange: str, day: date, count: int) -> date:
    """Return the first of the last `count` sessions up to a day."""
    return _last_sessions(exchange, day, count)[0]


def _last_sessions(exchange: str, day: date, count: int) -> list[date]:
    return sessions_between(exchange, day - timedelta(days=2 * count + 25), day)[-count:]


def _old_gaps(symbol: str, gaps: list[date], sessions: int) -> Finding:
    severity = Severity.WARNING if len(gaps) > GAPS_WORTH_WARNING * sessions else Severity.INFO
    message = (
        f"{symbol}: {len(gaps)} of {sessions} sessions have no believed row, the last {gaps[-1]}; returns run across "
        "the gaps. Fetch the whole history again if it is more than a few."
    )
    return Finding(severity, "missing-session", symbol, message, gaps[-1], str(len(gaps)))
