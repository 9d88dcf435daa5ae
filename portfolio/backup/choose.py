"""Which backup is meant: the newest, one by its name, or any folder by its path."""

from __future__ import annotations

from pathlib import Path

from portfolio.backup.folders import backup_folders
from portfolio.errors import BackupError

NEWEST = "newest"
SHOWN = 5  # names told when the one asked for isn't there


def chosen_backup(backups_dir: Path, wanted: str) -> Path:
    """Return the folder that is meant; the newest is so by name, damaged or not: what is wrong with it must be seen.

    Raises BackupError when it isn't there.
    """
    folders = backup_folders(backups_dir)
    if wanted == NEWEST and folders:
        return folders[0]
    for folder in (backups_dir / wanted, Path(wanted).absolute()):
        if wanted != NEWEST and folder.is_dir():
            return folder
    there = ", ".join(folder.name for folder in folders[:SHOWN]) or "none; `portfolio backup` makes the first"
    what = "no backup" if wanted == NEWEST else f"no backup {wanted!r}"
    message = f"There is {what} in {backups_dir} (PORTFOLIO_BACKUP_DIR). The newest there: {there}."
    raise BackupError(message)
