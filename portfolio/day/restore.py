"""The restore as a run: under the writer's lock, journaled in the store that it brings back."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portfolio import __version__
from portfolio.backup.place import Place
from portfolio.backup.restore import ensure_replaceable, ensure_restorable, restore
from portfolio.clock import now_utc
from portfolio.errors import ExitCode
from portfolio.store.journal import RunEnd, RunStart
from portfolio.store.lock import writer_lock

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.backup.manifest import Manifest
    from portfolio.day.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The store that is back, from which backup, and the folder of what it replaced (None: there was nothing)."""

    store: Path
    backup: Path
    created_at: str
    rows: int
    kept: Path | None
    must_migrate: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "store": str(self.store),
            "backup": str(self.backup),
            "created_at": self.created_at,
            "rows": self.rows,
            "kept": str(self.kept) if self.kept else None,
            "must_migrate": self.must_migrate,
            "seconds": round(self.seconds, 3),
        }


def restore_store(run: Run, backup: Path, *, force: bool = False, wait_s: float = 0.0) -> RestoreResult:
    """Bring a backup back in the place of the run's store, which may be good (with `force`), damaged or gone.

    Raises RestoreRefusedError, with nothing changed, when the backup does not verify or the store may not be replaced;
    StoreBusyError when another process writes it; BackupError when there is no room.
    """
    settings, began = run.settings, time.monotonic()
    place = Place.of(settings.store_path, run.models_dir, f"{run.started_at:%Y%m%dT%H%M%SZ}-{run.run_id[-6:]}")
    with writer_lock(place.live, wait_s):
        manifest = ensure_restorable(backup, settings.source)
        good = ensure_replaceable(place.live, settings.source, force=force)
        restored = restore((backup, manifest), place, _journaled(run, backup, manifest), good=good)
    result = RestoreResult(
        store=settings.store_path,
        backup=backup,
        created_at=manifest.created_at.isoformat(timespec="seconds"),
        rows=manifest.contents.total_rows,
        kept=restored.kept,
        must_migrate=restored.must_migrate,
        seconds=time.monotonic() - began,
    )
    log.info("backup restored", extra={"backup": str(backup), "rows": result.rows, "kept": str(restored.kept or "")})
    return result


def _journaled(run: Run, backup: Path, manifest: Manifest) -> tuple[RunStart, RunEnd]:
    """Return what the restored store's journal says of this run: it stands there only when the restore happened."""
    settings, rows = run.settings, manifest.contents.total_rows
    start = RunStart(
        run.run_id, run.command, run.moment.session, run.started_at, __version__, settings.source, os.getpid()
    )
    detail = {"restore": {"backup": backup.name, "created_at": manifest.created_at.isoformat(timespec="seconds")}}
    end = RunEnd(run.run_id, now_utc(), "done", int(ExitCode.DONE), rows, rows, json.dumps(detail, sort_keys=True))
    return start, end
