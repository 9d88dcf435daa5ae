"""Whether there is a backup, how old it is, and whether it still looks whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from portfolio.backup.folders import find_backups
from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.backup.folders import Backup, Damaged
    from portfolio.health.expected import Calendars

LATEST_AFTER_OPEN = timedelta(hours=26)  # a session's backup: the next night's at the latest, and time to make it
MAKE_ONE = "make one: `portfolio backup`; every night: `make up`"
SAMPLE_NONE = "none; the sample's own rows can always be fetched again, the ledger cannot"


def check_backups(folder: Path, source: str, calendars: Calendars | None, store_id: str | None) -> Check:
    """Look at the store's newest backup by name, manifest and sizes; `portfolio verify-backup` looks at every byte.

    `calendars` are seen from the wall clock. They and `store_id` are None when the store does not open: then every
    backup in the folder counts, since one of them is to bring it back.
    """
    try:
        whole, damaged = _backups_of(folder, store_id)
    except OSError as error:
        return Check(
            "backups", Status.DEGRADED, f"{folder}: {error.strerror}", "mend the rights, or PORTFOLIO_BACKUP_DIR"
        )
    if damaged and (not whole or damaged[0].path.name > whole[0].path.name):
        return Check("backups", Status.DEGRADED, f"the newest is damaged: {damaged[0].why}", MAKE_ONE)
    if not whole:
        if source == "sample":
            return Check("backups", Status.HEALTHY, SAMPLE_NONE)
        return Check("backups", Status.DEGRADED, f"none in {folder}", MAKE_ONE)
    newest = whole[0].created_at
    others = f"; damaged: {', '.join(item.path.name for item in damaged)}" if damaged else ""
    seen = f"{len(whole)}, the newest of {newest:%Y-%m-%d %H:%M} UTC{others}"
    wanted = _wanted_since(calendars)
    if wanted and newest < wanted:
        seen = f"{seen}, before the session of {wanted:%Y-%m-%d}"
        return Check("backups", Status.DEGRADED, seen, f"look at the flow `backup`; {MAKE_ONE}")
    return Check("backups", Status.HEALTHY, seen)


@dataclass(frozen=True, slots=True)
class Backups:
    """How many backups of a store look whole, and when the newest of these was made; how many are damaged."""

    newest_at: datetime | None
    whole: int
    damaged: int


def count_backups(folder: Path, store_id: str | None) -> Backups:
    """Count the store's backups; a folder that cannot be read has none that anybody could bring back."""
    try:
        whole, damaged = _backups_of(folder, store_id)
    except OSError:
        return Backups(None, 0, 0)
    return Backups(whole[0].created_at if whole else None, len(whole), len(damaged))


def _backups_of(folder: Path, store_id: str | None) -> tuple[list[Backup], tuple[Damaged, ...]]:
    whole, damaged = find_backups(folder)
    return [backup for backup in whole if store_id in {None, backup.manifest.contents.store_id}], damaged


def _wanted_since(calendars: Calendars | None) -> datetime | None:
    """Return the open of the newest session whose backup should have been made by now."""
    if calendars is None:
        return None
    return calendars.opened_before(calendars.instant - LATEST_AFTER_OPEN)
