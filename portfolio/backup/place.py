"""Where a store stands, and the steps in which a new one takes the place of an old one.

Everything new is whole beside the old before the first step, and the writer's lock is held throughout:

1. The old store, its write-ahead log, its published copy and its models get second names (hard links) in a folder
   `<store>.replaced-<stamp>`, which itself appears in one step.
2. The models are put among the old ones, file by file. A model is named after its numbers, so one that is there already
   gets the same again, or mended ones, and the old store still has all of its own.
3. The new read copy takes the published name.
4. A write-ahead log is removed, and the damaged store that it belongs to before it. A good store has none here: it was
   folded into the store's file. From here on only the published name keeps others from making an empty store.
5. The new file takes the store's name, in one step. That is when the restore has happened.

A process killed before step 5 leaves the old store as it was (or, when it was damaged or gone, a place where no other
command makes a new one), and the same command completes; killed after it, the new store with its models and read copy
is there, and what is left to be removed is removed by the next restore.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.backup.copying import sync_tree
from portfolio.store.connection import published_path
from portfolio.store.engine import live_path, sync, wal_path
from portfolio.store.publish import put_published

if TYPE_CHECKING:
    from pathlib import Path

NEW = ".restoring"  # what is not in place yet
KEPT = ".replaced-"  # what is not in place any more


@dataclass(frozen=True, slots=True)
class Place:
    """A store's file with its models, and the names beside them under which a restore prepares; `stamp` is its own."""

    live: Path
    models: Path
    stamp: str

    @classmethod
    def of(cls, store_path: Path, models_dir: Path, stamp: str) -> Place:
        """Return the place of a store, where its file really is, and make its folders."""
        place = cls(live_path(store_path), models_dir, stamp)
        place.live.parent.mkdir(parents=True, exist_ok=True)
        place.models.parent.mkdir(parents=True, exist_ok=True)
        return place

    @property
    def published(self) -> Path:
        """The read copy."""
        return published_path(self.live)

    @property
    def new_live(self) -> Path:
        """The store that is prepared."""
        return self.live.with_name(self.live.name + NEW)

    @property
    def new_published(self) -> Path:
        """The read copy that is prepared."""
        return self.published.with_name(self.published.name + NEW)

    @property
    def new_models(self) -> Path:
        """The folder of the models that are prepared."""
        return self.models.with_name(self.models.name + NEW)

    @property
    def kept(self) -> Path:
        """The folder of what is replaced."""
        return self.live.with_name(f"{self.live.name}{KEPT}{self.stamp}")

    def old_files(self) -> tuple[Path, ...]:
        """Return the files that there are now."""
        found = (self.live, wal_path(self.live), self.published, wal_path(self.published))
        return tuple(path for path in found if path.is_file())

    def clear_leftovers(self) -> None:
        """Remove what a killed restore had prepared, and its links to files that are still in place."""
        for file in (self.new_live, wal_path(self.new_live), self.new_published):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.new_models, ignore_errors=True)
        for entry in self.live.parent.iterdir():
            kept = entry.name.startswith(self.live.name + KEPT)
            if kept and (entry.name.endswith(NEW) or self._replaced_nothing(entry)):
                shutil.rmtree(entry)

    def _replaced_nothing(self, folder: Path) -> bool:
        """Tell whether a folder's store is, under its second name, the one that is still in place."""
        linked = folder / self.live.name
        return linked.exists() and self.live.exists() and linked.samefile(self.live)


def keep_old(place: Place) -> Path | None:
    """Give what will be replaced a second name, step 1; None when there is nothing."""
    old = place.old_files()
    if not old and not place.models.is_dir():
        return None
    keeping = place.kept.with_name(place.kept.name + NEW)
    keeping.mkdir()
    for path in old:
        os.link(path, keeping / path.name)
    if place.models.is_dir():
        shutil.copytree(place.models, keeping / place.models.name, symlinks=True, copy_function=_link)
    sync_tree(keeping)
    keeping.rename(place.kept)
    sync(place.kept.parent)
    return place.kept


def put_in_place(place: Place) -> None:
    """Let the prepared store take the place of the old one: steps 2 to 5."""
    _put_models(place)
    put_published(place.new_published, place.published)
    if wal_path(place.live).exists():
        place.live.unlink(missing_ok=True)
        sync(place.live.parent)
        wal_path(place.live).unlink()
        sync(place.live.parent)
    place.new_live.replace(place.live)
    sync(place.live.parent)
    shutil.rmtree(place.new_models)


def _link(source: str, target: str) -> None:
    """Give a file a second name, or a copy where its folder is on another disk; a model's file is never edited."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _put_models(place: Place) -> None:
    """Put each file in its place by itself: a model that the old store needs is never gone, not for a moment."""
    for new in sorted(path for path in place.new_models.rglob("*") if path.is_file()):
        old = place.models / new.relative_to(place.new_models)
        old.parent.mkdir(parents=True, exist_ok=True)
        new.replace(old)
    place.models.mkdir(exist_ok=True)
    sync_tree(place.models)
