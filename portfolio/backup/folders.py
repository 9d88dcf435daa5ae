"""The backups of a folder, told apart by a look at names and sizes: cheap enough for every health check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.backup.manifest import Manifest, files_in, read_manifest
from portfolio.errors import BackupError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

NAME = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")
BUILDING, GOING = ".building-", ".going-"  # prefixes of a backup before it is one and after
ASIDE = re.compile(f"({re.escape(BUILDING)}|{re.escape(GOING)}){NAME.pattern}")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that looks whole: its manifest can be read and every file has the size it tells."""

    path: Path
    manifest: Manifest

    @property
    def created_at(self) -> datetime:
        """The instant of the copy, UTC."""
        return self.manifest.created_at


@dataclass(frozen=True, slots=True)
class Damaged:
    """A folder that is named as a backup and isn't one any more, with what is wrong."""

    path: Path
    why: str


def backup_name(created_at: datetime, token: str) -> str:
    """Name a backup: its instant in UTC, and six hexadecimal digits that keep two of one second apart."""
    return f"{created_at:%Y%m%dT%H%M%SZ}-{token}"


def find_backups(backups_dir: Path) -> tuple[tuple[Backup, ...], tuple[Damaged, ...]]:
    """Look through a folder: the backups that look whole, and the damaged ones; both newest first."""
    whole, damaged = [], []
    for folder in backup_folders(backups_dir):
        try:
            manifest = read_manifest(folder)
        except BackupError as error:
            damaged.append(Damaged(folder, str(error)))
            continue
        why = _sizes_problem(folder, manifest)
        if why:
            damaged.append(Damaged(folder, why))
        else:
            whole.append(Backup(folder, manifest))
    return tuple(sorted(whole, key=lambda backup: backup.created_at, reverse=True)), tuple(damaged)


def newest_backup(backups_dir: Path) -> Backup | None:
    """Return the newest backup that looks whole, None when there is none."""
    whole, _ = find_backups(backups_dir)
    return whole[0] if whole else None


def backup_folders(backups_dir: Path) -> tuple[Path, ...]:
    """Return the folders that are named as backups, newest first by name; whatever else is there is not ours."""
    if not backups_dir.is_dir():
        return ()
    found = (entry for entry in backups_dir.iterdir() if NAME.fullmatch(entry.name) and entry.is_dir())
    return tuple(sorted(found, key=lambda folder: folder.name, reverse=True))


def _sizes_problem(folder: Path, manifest: Manifest) -> str:
    """Say what names and sizes alone give away, "" when nothing."""
    seen = {path.relative_to(folder).as_posix(): path.lstat().st_size for path in files_in(folder)}
    told = {file.name: file.size for file in manifest.files}
    different = sorted(name for name in seen.keys() | told.keys() if seen.get(name) != told.get(name))
    if not different:
        return ""
    return f"{folder}: {', '.join(different)} missing, added or of another size than the manifest tells"
