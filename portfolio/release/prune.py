"""Removing old releases: all but the newest few, and never one that a slot, a rollback or a switch may need."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from portfolio.release.journal import say
from portfolio.release.layout import SLOTS
from portfolio.release.manifest import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.release.host import Host
    from portfolio.release.record import Records

LOCK_HASH = re.compile(r"[0-9a-f]{12}")  # names a server's environment; what else stands there is not ours


def prune(host: Host, records: Records, keep: int) -> tuple[str, ...]:
    """Remove releases beyond the newest `keep`, and unfinished ones; returns their versions."""
    layout = host.layout
    serving = layout.version_in(layout.serving_slot())
    needed = {layout.version_in(slot) for slot in SLOTS} | {records.candidate(), serving}
    needed |= {records.replaced_by(serving)} if serving else set()
    finished = layout.installed()
    old = [version for version in finished[: max(0, len(finished) - keep)] if version not in needed]
    unfinished = [path.name for path in layout.releases.glob("[0-9]*") if not (path / MANIFEST).is_file()]
    for version in (*old, *unfinished):
        _remove(layout.release(version))
        say(f"prune: removed {version}")
    _prune_servers(layout.servers)
    return (*old, *unfinished)


def _prune_servers(folder: Path) -> None:
    """Remove environments of Prefect's server that its link does not lead to."""
    current = folder / "current"
    if not current.is_symlink():
        return
    for path in folder.glob("*/"):
        if LOCK_HASH.fullmatch(path.name) and not path.is_symlink() and path.name != current.readlink().name:
            _remove(path)
            say(f"prune: removed the server's {path.name}")


def _remove(path: Path) -> None:
    """Remove a release; without its manifest it is unfinished from the first moment on, whatever interrupts this."""
    (path / MANIFEST).unlink(missing_ok=True)
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    shutil.rmtree(path)
