"""An artefact's files on the disk: each is what the manifest says, or nothing of it stays."""

from __future__ import annotations

import hashlib
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from portfolio.release.failures import ArtefactError
from portfolio.release.manifest import MANIFEST, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from portfolio.release.manifest import Member, Release

LONGEST_MANIFEST = 4_000_000  # bytes; ours has 40 000
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Artefact:
    """An opened artefact, its manifest read; nothing else of it yet."""

    path: Path
    release: Release
    tar: tarfile.TarFile

    def unpack(self, into: Path) -> None:
        """Write every file under a folder; raises ArtefactError at the first that is not what the manifest says."""
        left = dict(self.release.files)
        try:
            while entry := self.tar.next():  # behind the manifest, which has been read
                if entry.name not in left or not entry.isreg():
                    self._refuse(f"it holds {entry.name!r}, which its manifest does not name as a file")
                self._write(entry, left.pop(entry.name), into / entry.name)
        except (tarfile.TarError, EOFError) as error:
            self._refuse(f"it cannot be read to its end ({error})")
        if left:
            self._refuse(f"{len(left)} files lack, {min(left)} first")

    def _write(self, entry: tarfile.TarInfo, member: Member, path: Path) -> None:
        if entry.size != member.size:
            self._refuse(f"{entry.name} has {entry.size} bytes and its manifest says {member.size}")
        digest, source = hashlib.sha256(), cast("IO[bytes]", self.tar.extractfile(entry))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != member.sha256:
            self._refuse(f"{entry.name} is not what its manifest says (SHA-256 {digest.hexdigest()[:12]}...)")

    def _refuse(self, why: str) -> None:
        _refuse(self.path, why)


@contextmanager
def opened(path: Path) -> Iterator[Artefact]:
    """Open an artefact and read its manifest; raises ArtefactError when there is none."""
    try:
        with tarfile.open(path, "r:") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST or not first.isreg() or first.size > LONGEST_MANIFEST:
                _refuse(path, f"it does not begin with {MANIFEST}")
            text = cast("IO[bytes]", tar.extractfile(cast("tarfile.TarInfo", first))).read()
            yield Artefact(path, parsed(text.decode()), tar)
    except (tarfile.TarError, EOFError, UnicodeDecodeError) as error:
        _refuse(path, f"it is not a whole tar file ({error})")
    except FileNotFoundError as error:
        message = f"There is no artefact {path}: `make package` writes it, `make deploy` brings it here."
        raise ArtefactError(message) from error


def _refuse(path: Path, why: str) -> None:
    message = f"The artefact {path} is damaged or was changed: {why}. Nothing of it is used: bring it here again."
    raise ArtefactError(message)
