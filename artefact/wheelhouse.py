"""Wheels of locked packages for the target, each checked against the lock, kept under `build/` for the next packing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess  # nosec B404  # pip has a command, no functions
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from artefact.pins import Pin, requirements
from artefact.target import ABIS, PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EPOCH = "315532800"  # 1980-01-01: a wheel built from the same files is the same wheel

# Packages that the index has as source only. They are pure Python, built here with the setuptools of the lock.
FROM_SOURCE = frozenset({"multitasking", "peewee"})


def wheelhouse(pins: Sequence[Pin], cache: Path) -> Path:
    """Return a folder that holds exactly one wheel for each pin, from the cache when it was fetched before."""
    named = hashlib.sha256((requirements(pins) + " ".join(PLATFORMS)).encode()).hexdigest()[:16]
    folder = cache / named
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        fetched = Path(name) / "wheels"
        fetched.mkdir()
        _download([pin for pin in pins if pin.name not in FROM_SOURCE], fetched)
        _build([pin for pin in pins if pin.name in FROM_SOURCE], fetched, Path(name))
        _ensure_complete(pins, fetched)
        fetched.rename(folder)
    return folder


def pins_of_wheels(wheels: Iterable[Path]) -> tuple[Pin, ...]:
    """Pin the very files given: what the host may install, and nothing else."""
    return tuple(
        Pin(str(parsed[0]), str(parsed[1]), (f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",))
        for path in wheels
        for parsed in [parse_wheel_filename(path.name)]
    )


def run_pip(*arguments: str, environment: dict[str, str] | None = None) -> None:
    """Run this environment's pip; raises RuntimeError with its own words when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(  # noqa: S603  # nosec B603  # our words
        command, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        message = f"pip {arguments[0]} failed:\n{ended.stderr[-3000:]}"
        raise RuntimeError(message)


def _download(pins: Sequence[Pin], folder: Path) -> None:
    wanted = folder.parent / "wanted.txt"
    wanted.write_text(requirements(pins))
    target = [part for platform in PLATFORMS for part in ("--platform", platform)]
    target += [part for abi in ABIS for part in ("--abi", abi)]
    run_pip(
        "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", "3.11", *target, "--dest", str(folder), "--requirement", str(wanted),
    )  # fmt: skip


def _build(pins: Sequence[Pin], folder: Path, work: Path) -> None:
    """Build wheels from sources that the lock has hashed."""
    if not pins:
        return
    wanted = work / "sources.txt"
    wanted.write_text(requirements(pins))
    sources = work / "sources"
    run_pip(
        "download", "--quiet", "--no-deps", "--no-build-isolation", "--require-hashes", "--no-binary=:all:",
        "--dest", str(sources), "--requirement", str(wanted),
    )  # fmt: skip
    for source in sorted(sources.iterdir()):
        build_wheel(source, folder)


def build_wheel(source: Path, folder: Path) -> Path:
    """Build a pure wheel from a source folder or archive; raises ValueError when it is bound to this machine."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        run_pip(
            "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", name, str(source),
            environment={"SOURCE_DATE_EPOCH": EPOCH, "NO_SQLITE": "1"},  # peewee's word for "without its C extension"
        )  # fmt: skip
        built = next(Path(name).glob("*.whl"))
        if not built.name.endswith("-none-any.whl"):
            message = f"{built.name} was built for this machine and cannot go to the host: it must be pure Python."
            raise ValueError(message)
        return Path(shutil.move(built, folder / built.name))


def _ensure_complete(pins: Sequence[Pin], folder: Path) -> None:
    have = {(pin.name, pin.version) for pin in pins_of_wheels(folder.iterdir())}
    want = {(pin.name, pin.version) for pin in pins}
    if have != want:
        message = f"The wheelhouse is not what the lock says: {sorted(have ^ want)} lack or are too many."
        raise ValueError(message)
