"""A release's own files: a commit's tree, with the version stamped in, and the wheel built from it."""

from __future__ import annotations

import re
import subprocess  # nosec B404  # git has a command, no functions
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from artefact.wheelhouse import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_FILE = Path("portfolio/__init__.py")
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


# A host's own settings are changed in place and are no part of a release.
HOSTS = ":(exclude)ansible/inventories"


@dataclass(frozen=True, slots=True)
class Source:
    """A tree of files to pack, and where it comes from."""

    folder: Path
    version: str
    commit: str
    dirty: bool

    def wheel(self, into: Path) -> Path:
        """Build the package's wheel."""
        return build_wheel(self.folder, into)


@contextmanager
def exported(repository: Path, version: str | None, *, allow_dirty: bool) -> Iterator[Source]:
    """Copy the commit's files, or the folder's as they are when that is allowed, and stamp the version.

    Raises ValueError for a version that pip would spell otherwise, and for changes that no commit has.
    """
    dirty = bool(_git(repository, "status", "--porcelain", "--untracked-files=no", "--", ".", HOSTS))
    if dirty and not allow_dirty:
        message = "There are changes that no commit has, and an artefact names its commit: commit, or ALLOW_DIRTY=1."
        raise ValueError(message)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "source"
        _export(repository, folder, "--worktree" if dirty else "HEAD")
        stamped = _stamp(folder / VERSION_FILE, version)
        yield Source(folder, stamped, _git(repository, "rev-parse", "HEAD"), dirty)


def _export(repository: Path, folder: Path, what: str) -> None:
    folder.mkdir()
    if what == "--worktree":
        files = _git(repository, "ls-files", "-z").split("\0")
        for file in filter(None, files):
            if (repository / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes((repository / file).read_bytes())
        return
    archive = folder.with_suffix(".tar")
    _git(repository, "archive", "--format=tar", f"--output={archive}", what)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")


def _stamp(file: Path, version: str | None) -> str:
    text = file.read_text("utf-8")
    found = _VERSION.search(text)
    if found is None:
        message = f'{VERSION_FILE} has no line __version__ = "...": the version has one source, and it is there.'
        raise ValueError(message)
    wanted = version or found[1]
    try:
        spelt = str(Version(wanted))
    except InvalidVersion as error:
        message = f"VERSION={wanted} is not a version: digits and dots, 0.4.1 say."
        raise ValueError(message) from error
    if spelt != wanted:
        message = f"VERSION={wanted} would become {spelt} in the package's name: write it so."
        raise ValueError(message)
    file.write_text(_VERSION.sub(f'__version__ = "{wanted}"', text), "utf-8")
    return wanted


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # nosec B603, B607  # our words
    return ended.stdout.strip()
