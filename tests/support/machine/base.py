"""The bare Debian 12 that every machine starts from: built once by mmdebstrap, kept as a tarball."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.support.machine.commands import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine.place import Place

SUITE = "bookworm"
# What a rented Debian 12 has, and no more: neither sudo nor Python, which the playbooks have to cope with.
INCLUDED = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,ca-certificates,iproute2,netbase,procps,kmod,"
    "cron,logrotate"
)
# Settings of this host's apt that decide whether it reaches its mirror; the machine needs the same.
CARRIED = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries", "Acquire::ForceIPv4")
BUILD_S = 600


def carried_apt_options() -> list[str]:
    """Return this host's apt options that the machine needs too, as apt writes them."""
    return [line for line in run("apt-config", "dump").splitlines() if line.startswith(CARRIED)]


def base_tarball(at: Place) -> Path:
    """Return the tarball of the bare system, built when there is none of this suite and these packages."""
    key = hashlib.sha256(f"{SUITE} {INCLUDED}".encode()).hexdigest()[:12]
    kept = at.build / f"{SUITE}-{key}.tar"
    if not kept.exists():
        # In the machine's folder: what an interruption leaves goes with it.
        unfinished = at.folder / kept.name
        options = [f"--aptopt={line}" for line in carried_apt_options()]
        run(
            "mmdebstrap",
            "--variant=minbase",
            f"--include={INCLUDED}",
            *options,
            SUITE,
            str(unfinished),
            seconds=BUILD_S,
        )
        unfinished.replace(kept)
    return kept
