"""Installing an artefact: a finished, read-only directory under the release's version, or nothing.

`manifest.json` closes it: a directory without one is unfinished, is nobody's to use, and is made anew.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess  # nosec B404  # Python's own venv and pip are commands
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.atomic import replace_text
from portfolio.release.failures import ArtefactError, RefusedError, ReleaseError
from portfolio.release.host import COMMAND_S
from portfolio.release.journal import say
from portfolio.release.manifest import CONTRACT, MANIFEST, as_text, read_manifest
from portfolio.release.unpack import opened

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.manifest import Release
    from portfolio.release.unpack import Artefact

SPARE = 300_000_000  # bytes left free: the journal, a day's rows and its backup go on meanwhile
LONGEST_S = 1200.0
READ_ONLY, READ_ONLY_PROGRAM = 0o444, 0o555
# What a release must be able to import before it is called installed.
EVERY_FLOW = """
import importlib, pkgutil, portfolio.cli, flows
for found in pkgutil.iter_modules(flows.__path__, "flows."):
    importlib.import_module(found.name)
"""
IMPORTS = {"portfolio": EVERY_FLOW, "prefect-server": "import prefect.server"}


def install(host: Host, artefact: Path) -> Release:
    """Install an artefact unless it is installed already, and return its manifest.

    Raises ArtefactError when it is damaged, for another machine, or of another contract; RefusedError when the version
    is installed with other content, or the disk has too little room.
    """
    with opened(artefact) as found:
        release = found.release
        _ensure_fits(release)
        home = host.layout.home_of(release)
        if (home / MANIFEST).is_file():
            return _installed_already(release, home)
        _clear(home)
        _ensure_room(release, home)
        try:
            _build(host, found, home)
        except BaseException:  # a full disk, a signal: nothing half stays
            _clear(home)
            raise
    return release


def _ensure_fits(release: Release) -> None:
    here = (f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine())
    made_for = (release.python.rpartition(".")[0], release.machine)
    if here != made_for:
        message = f"The artefact is for Python {made_for[0]} on {made_for[1]}; this host has {here[0]} on {here[1]}."
        raise ArtefactError(message)
    if release.contract != CONTRACT:
        message = (
            f"Release {release.version} works with release tools of contract {release.contract} and this one is of "
            f"{CONTRACT}: run `make provision` from the newer of the two."
        )
        raise ArtefactError(message)


def _installed_already(release: Release, home: Path) -> Release:
    if read_manifest(home / MANIFEST).content != release.content:
        message = (
            f"{home.name} is installed with other content, and a release is never changed: give it another version "
            "(make package VERSION=...)."
        )
        raise RefusedError(message)
    say(f"install: {home.name} is installed already")
    return release


def _ensure_room(release: Release, home: Path) -> None:
    packed = sum(member.size for member in release.files.values())
    needed = packed + release.installed_bytes + SPARE
    home.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home.parent).free
    if free < needed:
        message = (
            f"Installing {release.version} needs {needed / 1e6:.0f} MB in {home.parent} ({SPARE / 1e6:.0f} of them "
            f"stay free) and there are {free / 1e6:.0f}: `portfolio-release prune`, or make room."
        )
        raise RefusedError(message)


def _build(host: Host, artefact: Artefact, home: Path) -> None:
    release = artefact.release
    say(f"install: {release.kind} {release.version} of commit {release.commit[:12]} into {home}")
    home.mkdir(parents=True)
    artefact.unpack(home)
    say("install: every file is what the manifest says; building its environment")
    _build_environment(home)
    shutil.rmtree(home / "wheels")
    _make_read_only(home)
    _try_imports(host, release, home)
    os.sync()  # of a release whose manifest stands nothing is lost, not even to a power cut
    replace_text(home / MANIFEST, as_text(release))  # from here on it is a release
    say(f"install: {release.version} is installed")


def _build_environment(home: Path) -> None:
    """Build the environment at its final path, from the unpacked wheels and nothing else."""
    environment, wheels = home / "venv", home / "wheels"
    _command([sys.executable, "-I", "-m", "venv", "--without-pip", str(environment)])
    python = str(environment / "bin/python")
    pip = str(next(wheels.glob("pip-*.whl")) / "pip")
    _command(
        [
            python, pip, "install", "--quiet", "--no-index", "--no-deps", "--require-hashes", "--no-compile",
            "--no-cache-dir", "--disable-pip-version-check", "--root-user-action=ignore",
            "--find-links", str(wheels), "--requirement", str(home / "requirements.txt"),
        ]
    )  # fmt: skip
    _command([python, "-I", "-m", "compileall", "-q", "-j", "2", str(environment / "lib")], may_complain=True)


def _try_imports(host: Host, release: Release, home: Path) -> None:
    """Import what matters as the services' user, who must be able to read all of it."""
    python = str(home / "venv/bin/python")
    ended = host.run_as_service(
        [python, "-I", "-c", IMPORTS[release.kind]], {"PREFECT_HOME": "/nonexistent"}, (), COMMAND_S
    )
    if ended.returncode:
        message = f"Release {release.version} cannot be imported on this host: {ended.stderr.strip()[-1500:]}"
        raise ReleaseError(message)


def _make_read_only(home: Path) -> None:
    for folder, _, files in os.walk(home):
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(READ_ONLY_PROGRAM if path.stat().st_mode & 0o100 else READ_ONLY)


def _clear(home: Path) -> None:
    """Remove an unfinished directory."""
    if home.exists():
        say(f"install: removing {home}, which is unfinished")
        shutil.rmtree(home)


def _command(command: list[str], *, may_complain: bool = False) -> None:
    ended = subprocess.run(  # noqa: S603  # nosec B603  # Python's own tools
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
        env={"PATH": os.environ.get("PATH", "")},
        cwd="/",  # no folder of somebody's has modules for it
    )
    if ended.returncode and not may_complain:  # packages carry modules of other Pythons, which do not compile
        message = f"`{' '.join(command[:4])} ...` failed: {(ended.stderr or ended.stdout).strip()[-1500:]}"
        raise ReleaseError(message)
