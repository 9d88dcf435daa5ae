"""Removing the backups that retention no longer keeps, and only those."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from portfolio.backup.folders import GOING, Backup, find_backups
from portfolio.backup.retention import expendable
from portfolio.findings import Finding, Severity
from portfolio.store.engine import sync

if TYPE_CHECKING:
    from pathlib import Path


def prune(new: Backup) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Remove what no day, week or month keeps beside a new backup; return the names removed and what was noticed.

    Only whole backups of this very store count and may go. Those of an earlier store are its last copies, and a damaged
    one may still hold what somebody needs: both stay, the damaged with a finding. So does the new one, which looks old
    when the clock was set back.
    """
    whole, damaged = find_backups(new.path.parent)
    store_id = new.manifest.contents.store_id
    own = {backup.path.name: backup for backup in whole if backup.manifest.contents.store_id == store_id}
    going = sorted(expendable((name, backup.created_at) for name, backup in own.items()) - {new.path.name})
    for name in going:
        _remove(own[name].path)
    noticed = tuple(
        Finding(
            Severity.WARNING,
            "backup-damaged",
            found.path.name,
            f"{found.why}. It is kept and counts as none: look at the disk, then remove the folder yourself.",
        )
        for found in damaged
    )
    return tuple(going), noticed


def _remove(folder: Path) -> None:
    """Take the name first: a process killed meanwhile leaves no folder that is named as a backup and isn't whole."""
    going = folder.with_name(GOING + folder.name)
    folder.rename(going)
    sync(going.parent)
    shutil.rmtree(going)
