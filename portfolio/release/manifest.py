"""What a release is: the manifest that opens its artefact and, once it is installed, closes its directory."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from portfolio.release.failures import ArtefactError

MANIFEST = "manifest.json"
FORMAT = 1
CONTRACT = 1  # which commands the tool may ask of a release; docs/RELEASE.md lists them
KINDS = ("portfolio", "prefect-server")
# A folder's name: no slash, no leading dot. The server's is the beginning of its lock's hash.
VERSION = re.compile(r"[0-9a-z][0-9a-z.+]{0,63}")
_FILE = re.compile(r"(wheels|units)/[A-Za-z0-9@._+-]+|requirements\.txt")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an artefact."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Schema:
    """Which stores a release can work on: it writes `current`; the result needs a release that knows `min_reader`."""

    current: int
    min_reader: int


@dataclass(frozen=True, slots=True)
class Release:
    """A release's manifest. `python` is the oldest of its line that the wheels were chosen for."""

    kind: str
    version: str
    commit: str
    dirty: bool
    lock_sha256: str
    contract: int
    schema: Schema
    python: str
    machine: str
    installed_bytes: int
    files: dict[str, Member]

    @property
    def content(self) -> str:
        """The SHA-256 of everything the manifest says, the checksums of all files among it."""
        return hashlib.sha256(as_text(self).encode()).hexdigest()


def as_text(release: Release) -> str:
    """Write a manifest so that equal ones are equal text."""
    return json.dumps({"format": FORMAT} | asdict(release), indent=1, sort_keys=True) + "\n"


def read_manifest(path: Path) -> Release:
    """Read the manifest of an installed release; raises ArtefactError when it is damaged."""
    try:
        return parsed(path.read_text("utf-8"))
    except OSError as error:
        message = f"The release's manifest {path} cannot be read ({error.strerror}): install the release again."
        raise ArtefactError(message) from error


def parsed(text: str) -> Release:
    """Understand a manifest's text; raises ArtefactError for anything that is not as this tool writes it."""
    try:
        values: dict[str, Any] = json.loads(text)
        if values.pop("format") != FORMAT:
            message = f"The artefact's format is not {FORMAT}, the one this tool knows: run `make provision` first."
            raise ArtefactError(message)
        files = {name: Member(int(of["size"]), str(of["sha256"])) for name, of in values.pop("files").items()}
        release = Release(**values | {"schema": Schema(**values["schema"]), "files": files})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"The artefact's manifest cannot be understood ({error!r}): pack it again with `make package`."
        raise ArtefactError(message) from error
    _ensure_plain(release)
    return release


def _ensure_plain(release: Release) -> None:
    """Refuse names that would lead elsewhere, whoever wrote them."""
    if release.kind not in KINDS or not VERSION.fullmatch(str(release.version)):
        message = (
            f"The artefact is a {release.kind!r} {release.version!r}; known are {', '.join(KINDS)}, with a version."
        )
        raise ArtefactError(message)
    for name, member in release.files.items():
        if not _FILE.fullmatch(name) or ".." in PurePosixPath(name).parts or not _SHA256.fullmatch(member.sha256):
            message = f"The artefact names a file {name!r} that no release has: pack it again with `make package`."
            raise ArtefactError(message)
