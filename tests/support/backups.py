"""Backups for tests: a decided store with a ledger and a backup of it, and manifests written for changed folders."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from portfolio.backup.folders import backup_name
from portfolio.backup.manifest import (
    MANIFEST_FILE,
    STORE_FILE,
    file_record,
    files_in,
    manifest_text,
    read_manifest,
)
from portfolio.day.backup import BackupResult, backup_store
from portfolio.day.ledger import import_ledger
from portfolio.day.stages import run_day, writing
from portfolio.store.backup import read_contents
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.day.run import Run

INSTANT, LATER = "2001-06-01 07:30", "2001-06-20 07:30"
LEDGER = "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n2001-03-01,deposit,,,,,20000,\n"


def run_in(folder: Path, command: str, instant: str = LATER, **keys: object) -> Run:
    """A run of a command on the folder's store."""
    return run_at(settings_in(folder, **keys), paris(instant), command)


def decided_and_backed_up(folder: Path) -> BackupResult:
    """Import a ledger, decide a day, back that up, and decide a later day."""
    folder.joinpath("ledger.csv").write_text(LEDGER, "utf-8")
    importing = run_in(folder, "ledger import", INSTANT)
    with writing(importing) as (store, _):
        import_ledger(store, importing, folder / "ledger.csv")
    run_day(run_in(folder, "run", INSTANT))
    result = backup_store(run_in(folder, "backup", INSTANT))
    run_day(run_in(folder, "run", LATER))
    return result


def seal(backup: Path) -> None:
    """Write the manifest anew for what is in the folder now, as the release that changed it would have."""
    manifest = replace(
        read_manifest(backup),
        contents=read_contents(backup / STORE_FILE, ""),
        files=tuple(file_record(backup, path) for path in files_in(backup)),
    )
    backup.joinpath(MANIFEST_FILE).write_text(manifest_text(manifest), "utf-8")


def aged(backup: Path, created_at: datetime, store_id: str | None = None) -> Path:
    """Copy a backup as if it had been made at another instant, of another store when an id is given."""
    older = shutil.copytree(backup, backup.with_name(backup_name(created_at, secrets.token_hex(3))))
    manifest = read_manifest(backup)
    contents = replace(manifest.contents, store_id=store_id or manifest.contents.store_id)
    text = manifest_text(replace(manifest, created_at=created_at, contents=contents))
    older.joinpath(MANIFEST_FILE).write_text(text, "utf-8")
    return older
