"""The backup as a run: under the writer's lock, journaled as every run is, and old ones pruned once it verified."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portfolio.backup.make import Making, backups_folder, make_backup
from portfolio.backup.prune import prune
from portfolio.clock import now_utc
from portfolio.day.stages import writing
from portfolio.errors import StoreError
from portfolio.store.journal import append_findings

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.backup.folders import Backup
    from portfolio.day.run import Run
    from portfolio.findings import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A new backup that was verified, how long it took, and which old ones went for it."""

    path: Path
    created_at: str
    size_bytes: int
    rows: int
    seconds: float
    verified: bool
    pruned: tuple[str, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the journal."""
        return {
            "path": str(self.path),
            "created_at": self.created_at,
            "size_bytes": self.size_bytes,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "verified": self.verified,
            "pruned": list(self.pruned),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def backup_store(run: Run, wait_s: float = 0.0) -> BackupResult:
    """Make and verify a backup of the run's store, then prune old ones.

    Raises StoreError when there is no store, StoreBusyError when another process writes it, BackupError when there is
    no room or the copy does not verify.
    """
    settings = run.settings
    _ensure_store(settings.store_path)
    with writing(run, wait_s) as (store, ending), backups_folder(settings.backups_dir):
        began = time.monotonic()
        making = Making(run.models_dir, settings.backups_dir, run.run_id, now_utc(), secrets.token_hex(3))
        backup = make_backup(store, making)
        pruned, noticed = prune(backup)
        append_findings(store, run.run_id, noticed)
        result = _result(backup, time.monotonic() - began, pruned, noticed)
        ending.rows_in = ending.rows_out = result.rows
        ending.detail["backup"] = result.as_dict()
        log.info(
            "backup made and verified", extra={"path": str(result.path), "rows": result.rows, "pruned": len(pruned)}
        )
    return result


def _ensure_store(path: Path) -> None:
    """Refuse before `writing` would make an empty store, a backup of which could pass for one of the real."""
    if not path.exists():
        message = f"There is no store at {path} to back up: run `portfolio run`, or bring one back: portfolio restore."
        raise StoreError(message)


def _result(backup: Backup, seconds: float, pruned: tuple[str, ...], noticed: tuple[Finding, ...]) -> BackupResult:
    manifest = backup.manifest
    return BackupResult(
        path=backup.path,
        created_at=manifest.created_at.isoformat(timespec="seconds"),
        size_bytes=manifest.size_bytes,
        rows=manifest.contents.total_rows,
        seconds=seconds,
        verified=True,
        pruned=pruned,
        findings=noticed,
    )
