"""What is said of the series, from drawn days."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from portfolio.health.expected import Calendars
from portfolio.health.series import Reach, check_macro, check_prices, macro_reaches, price_reaches
from portfolio.health.verdict import Check, Status
from portfolio.universe import read_universe

UNIVERSE = read_universe()
DAYS = [date(2024, 3, day) for day in (18, 19, 20, 21, 22, 25, 26)]
NOW = datetime(2024, 3, 25, 9, 0, tzinfo=UTC)  # Monday, an hour after the open
SESSIONS = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in DAYS]
CALENDARS = Calendars({"XPAR": SESSIONS, "XNYS": SESSIONS}, NOW)
FRIDAY, MONDAY = date(2024, 3, 22), date(2024, 3, 25)


def prices(newest: dict[str, date]) -> Check:
    return check_prices(price_reaches(CALENDARS, newest, UNIVERSE))


@pytest.mark.parametrize(
    ("late", "status", "told"),
    [
        ({}, Status.HEALTHY, "newest 2024-03-22"),
        ({"WPEA.PA": date(2024, 3, 20)}, Status.DEGRADED, "WPEA.PA 2 session(s) behind"),
        ({"^GSPC": date(2024, 3, 21)}, Status.DEGRADED, "^GSPC 1 session(s) behind"),
        ({"^NDX": date(2024, 3, 19)}, Status.UNHEALTHY, "^NDX 3 session(s) behind"),
    ],
)
def test_prices_are_as_well_as_the_drivers_are_fresh(late, status, told):
    newest = dict.fromkeys(UNIVERSE.exchanges, FRIDAY) | late
    check = prices(newest)
    assert check.status is status
    assert told in check.seen


def test_prices_are_unhealthy_when_a_driver_was_never_stored_and_only_told_for_a_line():
    newest = dict.fromkeys(UNIVERSE.exchanges, FRIDAY)
    without_line = {symbol: day for symbol, day in newest.items() if symbol != "PAEEM.PA"}
    without_driver = {symbol: day for symbol, day in newest.items() if symbol != "^NDX"}
    assert prices(without_line).status is Status.HEALTHY
    assert "no series for PAEEM.PA" in prices(without_line).seen
    assert prices(without_driver).status is Status.UNHEALTHY


def test_macro_is_degraded_only_when_later_than_it_may_be_carried():
    long = [date(2024, 3, day) for day in (11, 12, 13, 14, 15)] + DAYS
    sessions = [(day, datetime(day.year, day.month, day.day, 8, tzinfo=UTC)) for day in long]
    calendars = Calendars({"XPAR": sessions, "XNYS": sessions}, NOW)
    assert (
        check_macro(macro_reaches(calendars, {"VIXCLS": date(2024, 3, 15)}, UNIVERSE)).status is Status.HEALTHY
    )  # five behind
    assert (
        check_macro(macro_reaches(calendars, {"VIXCLS": date(2024, 3, 14)}, UNIVERSE)).status is Status.DEGRADED
    )  # six
    assert check_macro(macro_reaches(calendars, {}, UNIVERSE)).status is Status.HEALTHY  # optional: none is fine


def test_every_series_is_told_by_itself_with_its_sessions_behind():
    newest = dict.fromkeys(UNIVERSE.exchanges, FRIDAY) | {"^NDX": date(2024, 3, 19)}
    del newest["PAEEM.PA"]
    told = {reach.symbol: reach for reach in price_reaches(CALENDARS, newest, UNIVERSE)}
    assert told.keys() == UNIVERSE.exchanges.keys()
    dead = Reach("^NDX", "driver", "XNYS", date(2024, 3, 19), FRIDAY, 3, Status.UNHEALTHY)
    assert told["^NDX"] == dead
    assert told["PAEEM.PA"] == Reach("PAEEM.PA", "line", "XPAR", None, FRIDAY, None, Status.HEALTHY)
    assert dead.as_dict() == {
        "symbol": "^NDX",
        "kind": "driver",
        "exchange": "XNYS",
        "newest": "2024-03-19",
        "expected": "2024-03-22",
        "sessions_behind": 3,
        "status": "UNHEALTHY",
    }


def test_optional_series_are_told_too_when_nothing_of_them_is_stored():
    told = macro_reaches(CALENDARS, {}, UNIVERSE)
    assert {reach.symbol for reach in told} == {item.series for item in UNIVERSE.macro}
    assert {(reach.newest, reach.sessions_behind, reach.status) for reach in told} == {(None, None, Status.HEALTHY)}
