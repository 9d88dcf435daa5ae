from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.backup.retention import KEEP, Retention, expendable
from portfolio.sessions import PARIS

if TYPE_CHECKING:
    from collections.abc import Iterable

    Made = list[tuple[str, datetime]]

INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
BACKUPS = st.lists(INSTANTS, max_size=60).map(lambda found: [(f"{n:03}", at) for n, at in enumerate(found)])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def named(*instants: str) -> Made:
    return [(text, utc(text)) for text in instants]


def nightly(days: int, last: str = "2026-11-20 21:15") -> Made:
    """A backup every night, named after its day in Paris."""
    nights = [utc(last) - timedelta(days=day) for day in range(days)]
    return [(f"{night.astimezone(PARIS):%Y-%m-%d}", night) for night in nights]


def kept(made: Iterable[tuple[str, datetime]], keep: Retention = KEEP) -> set[str]:
    made = list(made)
    return {name for name, _ in made} - expendable(made, keep)


def test_a_year_of_nights_keeps_seven_days_five_weeks_and_twelve_months():
    assert sorted(kept(nightly(800))) == [
        *("2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"),
        *("2026-07-31", "2026-08-31", "2026-09-30", "2026-10-25", "2026-10-31", "2026-11-01", "2026-11-08"),
        *("2026-11-14", "2026-11-15", "2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"),
    ]


def test_newest_of_a_day_is_kept_and_the_others_go():
    made = named("2026-11-20 06:00", "2026-11-20 12:00", "2026-11-20 21:15", "2026-11-19 21:15")
    assert expendable(made) == {"2026-11-20 06:00", "2026-11-20 12:00"}


def test_day_is_that_of_paris():
    late, after_midnight = "2026-07-14 21:59", "2026-07-14 22:01"  # 23:59 and 00:01 of the next day
    assert expendable(named(late, after_midnight)) == set()
    assert expendable(named("2026-07-14 22:01", "2026-07-15 21:59")) == {"2026-07-14 22:01"}


def test_weeks_follow_iso_over_the_new_year():
    # Monday 2025-12-29 to Sunday 2026-01-04 is one week, and two months.
    made = named("2025-12-28 12:00", "2025-12-30 12:00", "2026-01-02 12:00", "2026-01-05 12:00")
    assert kept(made, Retention(daily=0, weekly=3, monthly=0)) == {
        "2025-12-28 12:00",
        "2026-01-02 12:00",
        "2026-01-05 12:00",
    }


def test_periods_without_a_backup_do_not_count_when_the_host_was_off_for_a_year():
    made = [*nightly(10), *nightly(10, "2025-10-01 21:15")]
    assert {name for name in kept(made, Retention(daily=11, weekly=0, monthly=0)) if name < "2026"} == {"2025-10-01"}


@given(BACKUPS)
def test_newest_is_always_kept(made):
    newest = max(made, key=lambda item: (item[1], item[0]), default=None)
    assert newest is None or newest[0] in kept(made)
    assert newest is None or newest[0] in kept(made, Retention(0, 0, 0))


@given(BACKUPS)
def test_kept_are_no_more_than_the_periods(made):
    assert len(kept(made)) <= KEEP.daily + KEEP.weekly + KEEP.monthly


@given(BACKUPS, st.randoms())
def test_order_of_the_listing_does_not_matter(made, chance):
    mixed = list(made)
    chance.shuffle(mixed)
    assert expendable(mixed) == expendable(made)


@given(BACKUPS)
def test_pruning_twice_is_pruning_once(made):
    left = [(name, instant) for name, instant in made if name in kept(made)]
    assert expendable(left) == frozenset()


@given(BACKUPS)
def test_pruning_after_each_backup_keeps_what_pruning_at_the_end_keeps(made):
    """Nothing that will still be wanted goes early."""
    left: Made = []
    for item in sorted(made, key=lambda item: (item[1], item[0])):
        left.append(item)
        gone = expendable(left)
        left = [other for other in left if other[0] not in gone]
    assert {name for name, _ in left} == kept(made)


@pytest.mark.parametrize(("keep", "count"), [(Retention(3, 0, 0), 3), (Retention(0, 3, 0), 3), (Retention(0, 0, 3), 3)])
def test_each_period_keeps_its_own_number(keep, count):
    assert len(kept(nightly(120), keep)) == count
