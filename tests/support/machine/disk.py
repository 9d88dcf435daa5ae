"""The machine's file system before its first boot: the bare system, one SSH key, and the way to this host's mirror."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.base import base_tarball, carried_apt_options
from tests.support.machine.commands import run

if TYPE_CHECKING:
    from tests.support.machine.place import Place

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def lay_out(at: Place) -> None:
    """Unpack the bare system and let our key in."""
    at.root.mkdir(parents=True)
    at.root.chmod(0o755)
    at.packages.mkdir(parents=True, exist_ok=True)
    run("tar", "--numeric-owner", "--xattrs", "-xf", str(base_tarball(at)), "-C", str(at.root), seconds=300)
    _let_our_key_in(at)
    (at.root / "etc/hostname").write_text(f"{at.name}\n")
    (at.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {at.name}\n::1 localhost\n")
    _share_the_way_out(at)


def _let_our_key_in(at: Place) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test machine", "-f", str(at.key))
    folder = at.root / "root/.ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(at.key.with_suffix(".pub"), folder / "authorized_keys")
    (folder / "authorized_keys").chmod(0o600)


def _share_the_way_out(at: Place) -> None:
    """Copy how this host finds names, trusts and fetches: test hosts stand behind mirrors and stores of their own."""
    (at.root / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copyfile("/etc/resolv.conf", at.root / "etc/resolv.conf")
    if Path("/", CERTIFICATES).exists():
        shutil.copyfile(Path("/", CERTIFICATES), at.root / CERTIFICATES)
    # A package is fetched once for all machines: their archive folder is ours.
    options = [
        *carried_apt_options(),
        'APT::Keep-Downloaded-Packages "true";',
        'Binary::apt::APT::Keep-Downloaded-Packages "true";',
    ]
    (at.root / "etc/apt/apt.conf.d/90test-host").write_text("\n".join(options) + "\n")
