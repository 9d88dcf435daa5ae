"""Files and a manifest that names them, as one tar: the same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from portfolio.release.manifest import MANIFEST, Member, Release, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EPOCH = 315532800  # 1980-01-01
BYTECODE = 1.1  # size of a compiled module beside its source's


def write_artefact(path: Path, release: Release, files: Mapping[str, Path | bytes]) -> Path:
    """Write the tar: its manifest first, so that a reader knows what may follow, then the files in their order."""
    contents = {name: value if isinstance(value, bytes) else value.read_bytes() for name, value in files.items()}
    members = {name: Member(len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(contents.items())}
    complete = replace(release, files=members, installed_bytes=_installed_bytes(contents))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    with tarfile.open(aside, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, as_text(complete).encode())
        for name, data in sorted(contents.items()):
            _add(tar, name, data)
    return aside.replace(path)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(data), EPOCH, 0o644
    tar.addfile(entry, io.BytesIO(data))


def _installed_bytes(contents: Mapping[str, bytes]) -> int:
    """Estimate what the environment takes on the host: the files of all wheels, and the bytecode of their modules."""
    total = 0.0
    for name, data in contents.items():
        if not name.endswith(".whl"):
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            total += sum(
                info.file_size * (1 + BYTECODE if info.filename.endswith(".py") else 1) for info in wheel.infolist()
            )
    return int(total)
