"""How far each series reaches, in sessions, against what the newest opened session could have known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from portfolio.health.expected import Calendars
    from portfolio.universe import Universe

MACRO_EXCHANGE = "XNYS"  # on whose sessions FRED's daily series have values
MACRO_LATE_SESSIONS = 5  # FRED prints a day later, and an optional series may be carried three sessions
DRIVER_DEAD_SESSIONS = 3  # a regime read three sessions late is not one


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one series reaches: `newest` and `sessions_behind` are None when nothing of it is stored."""

    symbol: str
    kind: Literal["driver", "line", "macro"]
    exchange: str
    newest: date | None
    expected: date | None
    sessions_behind: int | None
    status: Status

    def as_dict(self) -> dict[str, str | int | None]:
        """Plain values for JSON."""
        return {
            "symbol": self.symbol,
            "kind": self.kind,
            "exchange": self.exchange,
            "newest": self.newest.isoformat() if self.newest else None,
            "expected": self.expected.isoformat() if self.expected else None,
            "sessions_behind": self.sessions_behind,
            "status": self.status.name,
        }


def price_reaches(calendars: Calendars, newest: Mapping[str, date], universe: Universe) -> tuple[Reach, ...]:
    """Measure every price series of the universe: a dead driver is UNHEALTHY, a line without a series is told only."""
    drivers = {driver.symbol for driver in universe.drivers}
    found = []
    for symbol, exchange in universe.exchanges.items():
        expected, day = calendars.expected_on(exchange), newest.get(symbol)
        behind = None if day is None else calendars.behind(exchange, day, expected)
        status = _price_status(behind, driver=symbol in drivers)
        found.append(Reach(symbol, "driver" if symbol in drivers else "line", exchange, day, expected, behind, status))
    return tuple(found)


def _price_status(behind: int | None, *, driver: bool) -> Status:
    if behind is None:
        return Status.UNHEALTHY if driver else Status.HEALTHY
    if driver and behind >= DRIVER_DEAD_SESSIONS:
        return Status.UNHEALTHY
    return Status.DEGRADED if behind else Status.HEALTHY


def macro_reaches(calendars: Calendars, newest: Mapping[str, date], universe: Universe) -> tuple[Reach, ...]:
    """Measure the optional macro series; they never make the whole worse than DEGRADED."""
    expected = calendars.expected_on(MACRO_EXCHANGE)
    found = []
    for item in universe.macro:
        day = newest.get(item.series)
        behind = None if day is None else calendars.behind(MACRO_EXCHANGE, day, expected)
        status = Status.DEGRADED if (behind or 0) > MACRO_LATE_SESSIONS else Status.HEALTHY
        found.append(Reach(item.series, "macro", MACRO_EXCHANGE, day, expected, behind, status))
    return tuple(found)


def check_prices(reaches: Sequence[Reach]) -> Check:
    """Look at the price series together."""
    late = [f"{reach.symbol} {reach.sessions_behind} session(s) behind" for reach in reaches if reach.sessions_behind]
    missing = [reach.symbol for reach in reaches if reach.newest is None]
    none = f"; no series for {', '.join(missing)}" if missing else ""
    return _together("prices", reaches, late, none)


def check_macro(reaches: Sequence[Reach]) -> Check:
    """Look at the macro series together."""
    late = [f"{reach.symbol} {reach.sessions_behind} session(s) behind" for reach in reaches if reach.status]
    return _together("macro", reaches, late)


def _together(name: str, reaches: Sequence[Reach], late: Sequence[str], none: str = "") -> Check:
    status = max((reach.status for reach in reaches), default=Status.HEALTHY)
    stored = [reach.newest for reach in reaches if reach.newest]
    seen = "; ".join(late) or f"{len(stored)} series, newest {max(stored, default=None)}"
    return Check(name, status, seen + none, "run `portfolio update`" if status else "")
