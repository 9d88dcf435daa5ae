"""Small files replaced in one step: a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

READABLE_BY_ALL = 0o644  # the web server and the operator are other users


def replace_text(path: Path, text: str) -> None:
    """Write a text file aside, force it to the disk, and give it its name.

    Raises OSError when the disk or a right refuses; the old file then stays, and nothing is left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), READABLE_BY_ALL)
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_names(path.parent)


def _sync_names(folder: Path) -> None:
    """Force the folder's list of names to the disk: without it a power cut brings the old file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
