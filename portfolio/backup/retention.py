"""Which backups may go: a pure function of their names and instants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.sessions import PARIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """How many Paris days, ISO weeks and months keep their newest backup; periods without one don't count."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


KEEP = Retention()


def expendable(made: Iterable[tuple[str, datetime]], keep: Retention = KEEP) -> frozenset[str]:
    """Return the names of the backups that no day, week or month keeps; the newest of all is always kept."""
    newest_first = sorted(made, key=lambda item: (item[1], item[0]), reverse=True)
    kept = {name for name, _ in newest_first[:1]}
    for period_of, count in ((_day, keep.daily), (_week, keep.weekly), (_month, keep.monthly)):
        kept |= _newest_of_each(newest_first, period_of, count)
    return frozenset(name for name, _ in newest_first) - kept


def _newest_of_each(
    newest_first: list[tuple[str, datetime]], period_of: Callable[[datetime], str], count: int
) -> set[str]:
    by_period: dict[str, str] = {}
    for name, instant in newest_first:
        by_period.setdefault(period_of(instant.astimezone(PARIS)), name)
    return set(list(by_period.values())[:count])  # in the order met: newest period first


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def _week(instant: datetime) -> str:
    return f"{instant:%G-%V}"


def _month(instant: datetime) -> str:
    return f"{instant:%Y-%m}"
