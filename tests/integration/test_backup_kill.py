"""Kill -9 at many points of a backup and of a restore: nothing is lost, and the next one completes without help."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from portfolio.backup.folders import backup_folders, find_backups
from portfolio.backup.verify import verify
from portfolio.errors import StoreError
from portfolio.regime.artifact import read_model
from portfolio.sessions import PARIS
from portfolio.store.connection import open_reader, open_writer
from portfolio.store.engine import wal_path
from portfolio.store.journal import read_runs
from portfolio.store.migrate import create_store
from portfolio.store.models import read_promotions
from portfolio.store.signals import read_signals
from tests.support.day_forks import answering
from tests.support.days import settings_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from portfolio.settings import Settings
    from tests.support.day_forks import Ask

    Decided = tuple[list[str], list[str]]

# Of each: a backup, and a restore in each of the states a store may be in. Each changes folders some 25 times, and is
# killed right before so many of these; and so often at any time, which is mostly inside DuckDB.
KILLS_AT_CHANGES, KILLS_AT_ANY_TIME = 14, 4
INSTANT, LATER = "2001-06-01 07:30", "2001-06-20 07:30"
KILLED, REFUSED = -9, 4
STORE_FILES = ("portfolio.duckdb", "portfolio.duckdb.wal")


@dataclass(frozen=True)
class Scene:
    """A store of two decided days, with a backup made after the first; and the process that forks."""

    folder: Path
    ask: Ask

    def kills(self, folder: Path, what: str) -> Iterator[dict[str, float]]:
        """Do it once in the folder, undisturbed, and choose when to kill it."""
        answer = self.ask(folder, LATER, what)
        assert answer["exit_code"] == 0
        made, chance = answer["changes"], random.Random(1)  # noqa: S311  # a repeatable spread, not cryptography
        for number in range(KILLS_AT_CHANGES):
            yield {"kill_at_change": 1 + round(number * (made - 1) / (KILLS_AT_CHANGES - 1))}
        for _ in range(KILLS_AT_ANY_TIME):
            yield {"kill_after_s": chance.uniform(0, answer["seconds"])}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene") / "store"
    folder.mkdir()
    with answering(folder.parent) as ask:
        for instant, what in ((INSTANT, "run"), (INSTANT, "backup"), (LATER, "run")):
            assert ask(folder, instant, what)["exit_code"] == 0
        yield Scene(folder, ask)


def test_backup_leaves_whole_ones_only_and_the_next_completes_when_killed_at_any_point(scene, tmp_path, capsys):
    hits: Counter[str] = Counter()
    before = decided(settings_in(scene.folder))
    for kill in scene.kills(shutil.copytree(scene.folder, tmp_path / "timed"), "backup"):
        place = shutil.copytree(scene.folder, tmp_path / "killed")
        settings = settings_in(place)
        if scene.ask(place, LATER, "backup", **kill)["exit_code"] == KILLED:
            hits[stage_of_backup(settings)] += 1
            assert decided(settings) == before
            assert all(not verify(folder).errors for folder in backup_folders(settings.backups_dir))
            assert scene.ask(place, LATER, "backup")["exit_code"] == 0
        check_backup_done(settings)
        shutil.rmtree(place)
    told(capsys, "a backup", hits)
    assert hits.total() >= KILLS_AT_CHANGES
    assert len(hits) >= 4


def stage_of_backup(settings: Settings) -> str:
    """Name what the kill left: folders named as backups, and those aside."""
    names = sorted(path.name for path in settings.backups_dir.iterdir())
    aside = [name.split("-")[0] for name in names if name.startswith(".")]
    return f"{len(names) - len(aside)} whole {' '.join(aside)}".rstrip()


def check_backup_done(settings: Settings) -> None:
    """The newest backup verifies, an older one of the same day has gone, and nothing is left beside."""
    whole, damaged = find_backups(settings.backups_dir)
    assert not damaged
    assert {path.name for path in settings.backups_dir.iterdir()} == {backup.path.name for backup in whole}
    assert len({backup.created_at.astimezone(PARIS).date() for backup in whole}) == len(whole)
    with open_reader(settings.store_path, "sample") as store:
        newest = read_runs(store, 1)[0]
    assert (newest.command, newest.outcome, newest.run_id) == ("backup", "done", whole[0].manifest.run_id)


def good(_: Settings) -> None:
    """A store that opens."""


def damaged(settings: Settings) -> None:
    """A store whose second half is gone, with a write-ahead log."""
    path = settings.store_path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    wal_path(path).write_bytes(b"left by nobody knows whom")


def gone(settings: Settings) -> None:
    """A store that is gone, with its models; only the published copy is left."""
    settings.store_path.unlink()
    shutil.rmtree(settings.state_dir / "models")


@pytest.mark.parametrize("make", [good, damaged, gone])
def test_restore_leaves_the_old_or_the_new_and_the_next_completes_when_killed_at_any_point(
    make: Callable[[Settings], None], scene, tmp_path, capsys
):
    what, hits = "restore --force" if make is good else "restore", Counter()
    template = shutil.copytree(scene.folder, tmp_path / "template")
    make(settings_in(template))
    old = store_bytes(settings_in(template).state_dir)
    timed = shutil.copytree(template, tmp_path / "timed")
    for kill in scene.kills(timed, what):
        new = decided(settings_in(timed))
        place = shutil.copytree(template, tmp_path / "killed")
        settings = settings_in(place)
        if scene.ask(place, LATER, what, **kill)["exit_code"] == KILLED:
            stage = stage_of_restore(settings, old, new)
            hits[stage] += 1
            again = scene.ask(place, LATER, what)["exit_code"]
            # What was done already is a good store, which nothing replaces without force.
            assert again == (REFUSED if stage == "new" and make is not good else 0)
        check_restored(settings, old, new)
        shutil.rmtree(place)
    told(capsys, f"a restore, {make.__name__}", hits)
    assert hits["old"]
    assert hits["new"]
    assert bool(hits["between"]) == (make is damaged)


def stage_of_restore(settings: Settings, old: dict[str, str], new: Decided) -> str:
    """Check that what is there is the old store, the new one, or a place where no command makes another."""
    path, seen = settings.store_path, store_bytes(settings.state_dir)
    if path.exists() and seen != old:
        assert decided(settings) == new
        return "new"
    if not path.exists():
        with pytest.raises(StoreError):
            create_store(path, "sample")
    return "old" if seen == old else "between"


def check_restored(settings: Settings, old: dict[str, str], new: Decided) -> None:
    """The restored store is there, for writers and readers, and so is all that it replaced."""
    assert decided(settings) == new
    with open_reader(settings.store_path, "sample") as store:
        assert [row.answer_sha256 for row in read_signals(store)] == new[0]
    assert old in [store_bytes(folder) for folder in settings.state_dir.glob("*.replaced-*")]
    assert not list(settings.state_dir.glob("*.replaced-*.restoring"))


def store_bytes(folder: Path) -> dict[str, str]:
    """Checksums of the live file and its write-ahead log, so far as they are there."""
    there = [folder / name for name in STORE_FILES if (folder / name).exists()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


def decided(settings: Settings) -> Decided:
    """What must never be lost: the decisions, and the models with their files."""
    with open_writer(settings.store_path, "sample") as store:
        answers = [row.answer_sha256 for row in read_signals(store)]
        promoted = [row.model_id for row in read_promotions(store)]
    assert [read_model(settings.state_dir / "models", model).model_id for model in promoted] == promoted
    return answers, promoted


def told(capsys: pytest.CaptureFixture[str], what: str, hits: Counter[str]) -> None:
    with capsys.disabled():
        print(f"\n{hits.total()} kills of {what}: {dict(sorted(hits.items()))}")  # noqa: T201  # that it tested something
