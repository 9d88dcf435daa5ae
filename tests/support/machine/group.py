"""The machine's own control group: without one its systemd would share a tree with this host, or a second machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine.place import Place

TREE = Path("/sys/fs/cgroup")
EMPTIES_S = 5


def join(at: Place) -> None:
    """Move this process, and what it starts, into the machine's group."""
    for group in _groups(at):
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))


def remove(at: Place) -> None:
    """Take the machine's groups away, the innermost first; they are empty once its processes are gone."""
    until = time.monotonic() + EMPTIES_S
    for group in _groups(at):
        while group.exists():
            try:
                for folder, _, _ in os.walk(group, topdown=False):
                    Path(folder).rmdir()
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def _groups(at: Place) -> Iterator[Path]:
    """Yield the group in each hierarchy that systemd uses: version 2's, or its own of version 1 and the one beside."""
    if (TREE / "cgroup.procs").exists():
        yield TREE / at.name
        return
    for hierarchy in ("systemd", "unified"):
        if (TREE / hierarchy / "cgroup.procs").exists():
            yield TREE / hierarchy / at.name
