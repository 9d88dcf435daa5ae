"""Making a backup: aside, whole, verified, and only then under its name."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio import __version__
from portfolio.atomic import replace_text
from portfolio.backup.copying import copy_models, ensure_room, size_of
from portfolio.backup.folders import ASIDE, BUILDING, Backup, backup_name
from portfolio.backup.manifest import (
    FORMAT,
    MANIFEST_FILE,
    MODELS_FOLDER,
    STORE_FILE,
    Manifest,
    file_record,
    files_in,
    has_files,
    manifest_text,
    read_manifest,
)
from portfolio.backup.verify import MEND, verify
from portfolio.errors import BackupError, StoreBusyError
from portfolio.store.backup import count_rows, read_contents
from portfolio.store.copy import copy_store
from portfolio.store.engine import ENGINE_VERSION, sync, wal_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Making:
    """Where a backup comes from and goes to, and who makes it when."""

    models_dir: Path
    backups_dir: Path
    run_id: str
    created_at: datetime
    token: str


@contextmanager
def backups_folder(backups_dir: Path) -> Iterator[None]:
    """Make the folder of backups and hold it: two stores may share one, and each clears what killed ones left.

    Raises StoreBusyError when another store's backup is being made there.
    """
    try:
        backups_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(backups_dir, os.O_RDONLY)
    except OSError as error:
        message = (
            f"The folder of backups {backups_dir} cannot be used ({error.strerror}): mend its rights, or set "
            "PORTFOLIO_BACKUP_DIR to another place."
        )
        raise BackupError(message) from error
    try:
        _hold(descriptor, backups_dir)
        yield
    finally:
        os.close(descriptor)  # closing releases the flock; the kernel does the same for a killed process


def make_backup(store: Store, making: Making) -> Backup:
    """Copy the open store and its models into a new folder; the writer's lock and the folder of backups are held.

    The folder is built aside, forced to the disk, verified, and then given its name in one step: a process killed at
    any point leaves a whole backup or none, and what it left aside is removed by the next one.
    Raises BackupError when there is no room or the copy does not verify.
    """
    _clear_leftovers(making.backups_dir)
    ensure_room(making.backups_dir, size_of(store.path, wal_path(store.path), making.models_dir), "A backup")
    folder = making.backups_dir / backup_name(making.created_at, making.token)
    building = folder.with_name(BUILDING + folder.name)
    building.mkdir()
    try:
        _fill(building, store, making)
        _ensure_verified(building, store)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    sync(making.backups_dir)
    return Backup(folder, read_manifest(folder))


def _hold(descriptor: int, backups_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"Another store's backup is being made in {backups_dir}: run again when it has ended."
        raise StoreBusyError(message) from error


def _fill(building: Path, store: Store, making: Making) -> None:
    copy_store(store, building / STORE_FILE)
    copy_models(making.models_dir, building / MODELS_FOLDER)
    contents = read_contents(building / STORE_FILE, MEND)
    missing = {model for model in contents.roles.values() if not has_files(building / MODELS_FOLDER / model)}
    manifest = Manifest(
        format=FORMAT,
        created_at=making.created_at,
        run_id=making.run_id,
        release=__version__,
        duckdb=ENGINE_VERSION,
        contents=contents,
        files=tuple(file_record(building, path) for path in files_in(building)),
        models_missing=tuple(sorted(missing)),
    )
    replace_text(building / MANIFEST_FILE, manifest_text(manifest))
    sync(building)


def _ensure_verified(building: Path, store: Store) -> None:
    """Compare the finished copy with its manifest, and with the store that it was made from."""
    verified = verify(building)
    wrong = [finding.message for finding in verified.errors]
    live = count_rows(store.connection)
    if verified.manifest and verified.manifest.contents.rows != live:
        wrong.append(f"the copy has the rows {verified.manifest.contents.rows} and the store {live}")
    if wrong:
        message = f"The new backup does not verify and was removed: {'; '.join(wrong)}. Check the disk and run again."
        raise BackupError(message)


def _clear_leftovers(backups_dir: Path) -> None:
    for leftover in backups_dir.iterdir():
        if ASIDE.fullmatch(leftover.name):
            shutil.rmtree(leftover)
