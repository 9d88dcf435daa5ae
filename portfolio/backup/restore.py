"""Bringing a backup back: the store's file, its models and its read copy, with all that they replace kept aside."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.backup.copying import copy_models, ensure_room, size_of
from portfolio.backup.manifest import MODELS_FOLDER, STORE_FILE, file_record
from portfolio.backup.place import Place, keep_old, put_in_place
from portfolio.backup.verify import verify
from portfolio.errors import BackupError, ForeignStoreError, NewerStoreError, RestoreRefusedError, StoreError
from portfolio.store.backup import fold_wal, open_aside, read_contents
from portfolio.store.engine import sync, wal_path
from portfolio.store.journal import end_run, start_run
from portfolio.store.schema import known_schema

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.backup.manifest import Manifest
    from portfolio.store.contents import Contents
    from portfolio.store.journal import RunEnd, RunStart
    from portfolio.store.schema import Kind


MEND = "If it is damaged, restoring a backup keeps it aside."


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back from where; `kept` is the folder of what was replaced, None when there was nothing."""

    manifest: Manifest
    kept: Path | None

    @property
    def must_migrate(self) -> bool:
        """Whether the restored store is at an older schema than this release works on."""
        return self.manifest.contents.schema < known_schema()


def ensure_restorable(folder: Path, kind: Kind) -> Manifest:
    """Verify a backup for a store of this kind; raises RestoreRefusedError with every difference."""
    verified = verify(folder, kind)
    if verified.manifest is None or verified.errors:
        wrong = "".join(f"\n  {finding.rule}: {finding.message}" for finding in verified.errors)
        message = f"The backup {folder} cannot be restored, and nothing was changed. Choose another one:{wrong}"
        raise RestoreRefusedError(message)
    return verified.manifest


def ensure_replaceable(live: Path, kind: Kind, *, force: bool) -> bool:
    """Refuse to replace a good store unless forced, and never one of the other kind or of another program.

    Tells whether there is a good one: a file that opens and counts its rows. One that another program has open raises
    StoreBusyError.
    """
    if not live.exists():
        return False
    if not live.is_file() or not os.access(live, os.R_OK):
        message = f"{live} is not a file that can be read: mend its rights or move it away. Nothing was changed."
        raise RestoreRefusedError(message)
    try:
        contents = read_contents(live, MEND)
    except ForeignStoreError as error:
        message = f"{error} Nothing was changed."
        raise RestoreRefusedError(message) from error
    except NewerStoreError as error:
        if not force:
            message = f"{error} It may be good to a newer DuckDB: --force keeps it aside. Nothing was changed."
            raise RestoreRefusedError(message) from error
        return False
    except StoreError:  # damaged: what a restore is for
        return False
    _ensure_same_kind(live, contents, kind)
    if not force:
        message = (
            f"The store {live} is good: schema {contents.schema}, {contents.total_rows} rows, newest session in its "
            f"journal {contents.newest_session}. It is only replaced with --force, and kept aside then. Nothing was "
            "changed."
        )
        raise RestoreRefusedError(message)
    return True


def restore(backup: tuple[Path, Manifest], place: Place, journal: tuple[RunStart, RunEnd], *, good: bool) -> Restored:
    """Put a verified backup in the place of a replaceable store; `good` tells that there is a good one.

    The writer's lock is held. Everything new is made whole beside the old, the run's journal rows in it, before
    anything old is touched. `portfolio.backup.place` tells the steps from there.
    Raises BackupError when there is no room or a copy is not what the manifest tells.
    """
    folder, manifest = backup
    place.clear_leftovers()
    ensure_room(place.live.parent, 2 * manifest.size_bytes + size_of(place.models), "A restore")
    try:
        _stage_store(folder, manifest, place, journal)
        copy_models(folder / MODELS_FOLDER, place.new_models)
        if good and wal_path(place.live).exists():
            fold_wal(place.live)
        kept = keep_old(place)
        put_in_place(place)
    except BaseException:
        place.clear_leftovers()  # a full disk must not stay full of what was prepared
        raise
    return Restored(manifest, kept)


def _stage_store(folder: Path, manifest: Manifest, place: Place, journal: tuple[RunStart, RunEnd]) -> None:
    """Copy the backup's store beside the live one, compare, and journal the restore in it; then copy it for readers."""
    told = next(file for file in manifest.files if file.name == STORE_FILE)
    shutil.copyfile(folder / STORE_FILE, place.new_live)
    copied = file_record(place.new_live.parent, place.new_live)
    if copied.sha256 != told.sha256:
        message = f"The copy of {folder / STORE_FILE} has other bytes: check the disk, and run again."
        raise BackupError(message)
    with open_aside(place.new_live) as store:
        start_run(store, journal[0])
        end_run(store, journal[1])
    sync(place.new_live)
    shutil.copyfile(place.new_live, place.new_published)
    sync(place.new_published)


def _ensure_same_kind(live: Path, contents: Contents, kind: Kind) -> None:
    if contents.kind != kind:
        message = (
            f"The store {live} holds {contents.kind} data and the backup {kind} data; sample and live never share a "
            f"store, not even with --force. Set DATA_DIR or DUCKDB_FILE to another place. Nothing was changed."
        )
        raise RestoreRefusedError(message)
