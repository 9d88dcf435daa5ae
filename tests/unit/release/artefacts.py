"""A small artefact, whole and spoilt."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from artefact.tarball import write_artefact
from portfolio.release.manifest import CONTRACT, Release, Schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES: dict[str, bytes] = {
    "requirements.txt": b"",
    "units/portfolio.target": b"[Unit]\n",
    "wheels/a-1.whl": b"PK" * 900,
}


def release(version: str = "1.0", kind: str = "portfolio", contract: int = CONTRACT) -> Release:
    return Release(
        kind=kind, version=version, commit="0" * 40, dirty=False, lock_sha256="1" * 64, contract=contract,
        schema=Schema(1, 1), python="3.11.2", machine="x86_64", installed_bytes=0, files={},
    )  # fmt: skip


def artefact(folder: Path, **of: str | int) -> Path:
    files = {name: data for name, data in FILES.items() if not name.endswith(".whl")}
    return write_artefact(folder / "portfolio-1.0.tar", release(**of), files)  # type: ignore[arg-type]


def edited(path: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> Path:
    """Write the tar again with its members changed; None leaves one out."""
    other = path.with_name("edited.tar")
    with tarfile.open(path) as old, tarfile.open(other, "w") as new:
        for entry in old:
            kept = change(entry, old.extractfile(entry).read())  # type: ignore[union-attr]
            if kept:
                kept[0].size = len(kept[1])
                new.addfile(kept[0], io.BytesIO(kept[1]))
    return other
