"""Kill -9 at a hundred random points of a day: the store opens, nothing in it is partial, and a rerun completes."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.store.connection import open_reader, open_writer
from tests.support.day_forks import forking
from tests.support.days import settings_in
from tests.support.left import check_whole, left_by

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.settings import Settings
    from portfolio.store.connection import Store
    from tests.support.day_forks import Day

KILLS = 100
FIRST_DAY = "2001-06-01 07:30"
LATER_DAYS = ("2001-06-20 07:30", "2001-07-09 07:30", "2001-08-15 07:30")  # the second fits a challenger
ENDED_WELL = (0, 3)
KILLED = -9

_REACHED = """
SELECT (SELECT count(*) FROM out.run_starts), (SELECT count(*) FROM raw.batches), (SELECT count(*) FROM out.signals),
       (SELECT count(*) FROM out.orders), (SELECT count(*) FROM out.run_ends)
"""
STAGES = ("before its start", "before the batch", "before the signal", "before the orders", "before the end", "after")


@dataclass(frozen=True)
class Stretch:
    """A day that is done again and again from the same place: the folder before it, and what it leaves undisturbed."""

    before: Path
    instant: str
    exit_code: int
    seconds: float
    counts_before: tuple[int, ...]
    counts_after: tuple[int, ...]
    left: dict[str, Any]


@pytest.fixture(scope="module")
def stretches(tmp_path_factory: pytest.TempPathFactory) -> list[Stretch]:
    """A first day in an empty folder and three days that go on from the day before, each undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    before, found = folder / "nothing", []
    before.mkdir()
    with forking(folder) as day:
        for number, instant in enumerate((FIRST_DAY, *LATER_DAYS)):
            done = shutil.copytree(before, folder / f"day-{number}")
            exit_code, seconds = day(done, instant)
            assert exit_code in ENDED_WELL
            counted = counts_in(before), counts_in(done)
            found.append(Stretch(before, instant, exit_code, seconds, *counted, left_by(done)))
            before = done
    return found


def test_day_is_whole_or_absent_and_a_rerun_decides_the_same_when_killed_at_any_point(stretches, tmp_path, capsys):
    with ThreadPoolExecutor(2) as workers:  # as many as a small host has cores
        tasks = [workers.submit(kill_many, stretches, tmp_path / str(half), half, KILLS // 2) for half in range(2)]
        hits = sum((task.result() for task in tasks), Counter())
    with capsys.disabled():
        told = ", ".join(f"{hits[stage]} {stage}" for stage in STAGES)
        print(f"\n{sum(hits.values())} kills of a day: {told}")  # noqa: T201  # that it tested something
    assert sum(hits.values()) == KILLS
    inside = [hits[stage] for stage in STAGES[1:-1]]
    assert sum(inside) >= KILLS // 5
    assert min(hits[STAGES[0]], hits[STAGES[1]], hits[STAGES[2]], hits[STAGES[4]]) >= 1


def kill_many(stretches: list[Stretch], folder: Path, seed: int, count: int) -> Counter[str]:
    """Kill so many days, one stretch after the other, and check what each left and what a rerun makes of it."""
    chance, hits = random.Random(seed), Counter()  # noqa: S311  # a repeatable spread, not cryptography
    folder.mkdir()
    with forking(folder) as day:
        reach_s = {stretch.instant: stretch.seconds for stretch in stretches}
        while sum(hits.values()) < count:
            stretch = stretches[sum(hits.values()) % len(stretches)]
            place = shutil.copytree(stretch.before, folder / "killed")
            exit_code, seconds = day(place, stretch.instant, chance.uniform(0, reach_s[stretch.instant]))
            if exit_code == KILLED:
                hits[checked_stage(place, stretch)] += 1
                _, reach_s[stretch.instant] = rerun(day, place, stretch)
            else:  # it was quicker than the kill
                reach_s[stretch.instant] = seconds
            shutil.rmtree(place)
    return hits


def checked_stage(place: Path, stretch: Stretch) -> str:
    """Check that what a kill left is whole, and say how far the day had come."""
    settings = settings_in(place)
    check_published(settings, stretch)
    if not settings.store_path.exists():
        return STAGES[0]
    with open_writer(settings.store_path, "sample") as store:
        check_whole(store)
        reached = counts(store)
    runs, *others, ends = (now - then for now, then in zip(reached, stretch.counts_before, strict=True))
    assert ends <= runs <= 1
    assert all(part in (0, 1) for part in others)
    return STAGES[runs + sum(others) + ends]


def check_published(settings: Settings, stretch: Stretch) -> None:
    """What readers have is the copy of before or of after the day."""
    if not settings.store_path.with_name("portfolio.published.duckdb").exists():
        assert not any(stretch.before.iterdir())
        return
    with open_reader(settings.store_path, "sample") as store:
        check_whole(store)
        assert counts(store) in {stretch.counts_before, stretch.counts_after}


def counts(store: Store) -> tuple[int, ...]:
    return store.connection.execute(_REACHED).fetchall()[0]


def counts_in(folder: Path) -> tuple[int, ...]:
    settings = settings_in(folder)
    if not settings.store_path.exists():
        return (0, 0, 0, 0, 0)
    with open_reader(settings.store_path, "sample") as store:
        return counts(store)


def rerun(day: Day, place: Path, stretch: Stretch) -> tuple[int, float]:
    """Do the killed day again, undisturbed, and compare all that it leaves with the reference."""
    exit_code, seconds = day(place, stretch.instant)
    assert exit_code == stretch.exit_code
    assert left_by(place) == stretch.left
    return exit_code, seconds
