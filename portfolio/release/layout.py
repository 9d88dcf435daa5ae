"""Where everything is on the host, and which release serves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from portfolio.release.failures import ReleaseError
from portfolio.release.manifest import MANIFEST, Release, read_manifest

Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, ...] = get_args(Slot)


def other(slot: Slot) -> Slot:
    """Return the slot beside this one."""
    return "green" if slot == "blue" else "blue"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of a host; `root` is / but in tests."""

    root: Path

    def at(self, path: str) -> Path:
        """Return an absolute path as seen under the root."""
        return self.root / path.removeprefix("/")

    @property
    def releases(self) -> Path:
        """Folder of the releases, each under its version."""
        return self.at("/opt/portfolio/releases")

    @property
    def current(self) -> Path:
        """The link that says who serves; nothing else does."""
        return self.at("/opt/portfolio/current")

    @property
    def servers(self) -> Path:
        """Folder of the environments of Prefect's server, each under its lock's hash."""
        return self.at("/opt/prefect-server")

    @property
    def state(self) -> Path:
        """Folder of the tool's own records."""
        return self.at("/var/lib/portfolio-release")

    @property
    def settings(self) -> Path:
        """Folder in which the release's commands find `portfolio.toml`."""
        return self.at("/etc/portfolio")

    @property
    def credentials(self) -> Path:
        """Folder of the secrets, readable by root alone."""
        return self.settings / "credentials"

    @property
    def units(self) -> Path:
        """Folder of the units that the role has installed."""
        return self.at("/etc/systemd/system")

    def slot(self, slot: Slot) -> Path:
        """Return a slot's link."""
        return self.at(f"/opt/portfolio/slots/{slot}")

    def release(self, version: str) -> Path:
        """Return a release's directory."""
        return self.releases / version

    def home_of(self, release: Release) -> Path:
        """Return the directory in which an artefact of either kind is installed."""
        return (self.releases if release.kind == "portfolio" else self.servers) / release.version

    def installed(self) -> tuple[str, ...]:
        """Name the finished releases, in the order they were installed."""
        found = [path.parent for path in self.releases.glob(f"[0-9]*/{MANIFEST}")]
        return tuple(path.name for path in sorted(found, key=lambda path: (path / MANIFEST).stat().st_mtime))

    def manifest(self, version: str) -> Release:
        """Read the manifest of an installed release."""
        return read_manifest(self.release(version) / MANIFEST)

    def serving_slot(self) -> Slot | None:
        """Tell which slot serves, None before the first switch."""
        name = _target(self.current).name
        return next((slot for slot in SLOTS if slot == name), None)

    def version_in(self, slot: Slot | None) -> str | None:
        """Tell which release a slot leads to, None when it is empty or leads nowhere."""
        name = _target(self.slot(slot)).name if slot else ""
        return name if name and (self.release(name) / MANIFEST).is_file() else None

    def fill(self, slot: Slot, version: str | None) -> None:
        """Lead a slot to a release, or empty it."""
        if version is None:
            self.slot(slot).unlink(missing_ok=True)
        else:
            point(self.slot(slot), Path("../releases") / version)

    def serve(self, slot: Slot | None) -> None:
        """Make a slot the serving one, in one step; None is the state before the first switch."""
        if slot is None:
            self.current.unlink(missing_ok=True)
        else:
            point(self.current, Path("slots") / slot)


def point(link: Path, target: Path) -> None:
    """Make a link lead elsewhere in one step, and force that to the disk."""
    link.parent.mkdir(parents=True, exist_ok=True)
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(link)
    folder = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _target(link: Path) -> Path:
    try:
        return link.readlink()
    except FileNotFoundError:
        return Path()
    except OSError as error:
        message = (
            f"{link} is not a link ({error.strerror}): the tool makes it one, so somebody else made this. Move it."
        )
        raise ReleaseError(message) from error
