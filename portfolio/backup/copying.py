"""Copies of closed files that survive a power cut, and the room for them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from portfolio.errors import BackupError
from portfolio.store.engine import sync

if TYPE_CHECKING:
    from pathlib import Path

SPARE_BYTES = 16_000_000  # beyond the copies themselves: the manifest, folders, and what the live store still writes


def ensure_room(folder: Path, needed: int, what: str) -> None:
    """Refuse to start what the disk has no room for."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        message = (
            f"{what} needs {(needed + SPARE_BYTES) / 1e6:.0f} MB in {folder} and {free / 1e6:.0f} MB are free: make "
            "room, or use another disk (PORTFOLIO_BACKUP_DIR, DATA_DIR). Nothing was changed."
        )
        raise BackupError(message)


def copy_models(source: Path, target: Path) -> None:
    """Copy the models' folders, without what a killed fit left unfinished, and force them to the disk."""
    target.mkdir()
    for model in sorted(source.glob("[!.]*")) if source.is_dir() else ():
        if model.is_dir():
            shutil.copytree(model, target / model.name)
    sync_tree(target)


def sync_tree(folder: Path) -> None:
    """Force a folder with all that is in it to the disk."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            sync(path)


def size_of(*paths: Path) -> int:
    """Return the bytes of files and of all files under folders; what is not there has none."""
    files = (file for path in paths for file in (path, *path.rglob("*")) if file.is_file())
    return sum(file.stat().st_size for file in files)
