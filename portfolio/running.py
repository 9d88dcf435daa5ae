"""Which release the running process is: told by the manifest beside its environment, not by whoever started it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from portfolio import __version__

MANIFEST = "manifest.json"  # beside the release's `venv`; the release tool writes it last


@dataclass(frozen=True, slots=True)
class Running:
    """A process's release; slot and commit are empty where nothing was released, in a development tree say."""

    version: str
    slot: str = ""
    commit: str = ""

    def __str__(self) -> str:
        """Name the release for a line of a log."""
        return f"{self.version} in {self.slot}" if self.slot else self.version


def read_running(slot: str | None = None, prefix: Path | None = None) -> Running:
    """Tell which release this process runs from; the slot is the one given, else the serving one if it is this release.

    `prefix` is the environment's folder, `<root>/releases/<version>/venv` on a host.
    """
    release = (prefix or Path(sys.prefix)).resolve().parent
    manifest = _manifest(release)
    if not manifest:
        return Running(__version__, slot or "")
    version, commit = str(manifest.get("version", __version__)), str(manifest.get("commit", ""))
    return Running(version, slot or _serving_slot(release), commit)


def _manifest(release: Path) -> dict[str, object]:
    try:
        found = json.loads((release / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _serving_slot(release: Path) -> str:
    """Return the slot that `current` names, when it leads to this release."""
    current = release.parents[1] / "current"
    try:
        slot = current.readlink().name
        return slot if current.resolve() == release else ""
    except OSError:
        return ""
