"""What a host must have to boot a machine, and the words for one that cannot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Program by the Debian package that has it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "apt-config": "apt",
}


def missing_packages() -> list[str]:
    """Return the Debian packages that this host lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})


def hindrances() -> list[str]:
    """Say why this host cannot boot a machine; nothing when it can, once the packages are there."""
    found = []
    if os.geteuid() != 0:
        found.append(f"it needs root (network namespace, nspawn); this is user id {os.geteuid()}: run it with sudo")
    if missing_packages() and not shutil.which("apt-get"):
        found.append(f"these programs are missing and there is no apt-get: {', '.join(missing_packages())}")
    if os.uname().machine != "x86_64":
        found.append(f"the release is built for x86_64; this machine is {os.uname().machine}")
    if os.geteuid() == 0 and not os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK):
        found.append("/proc/sys is read-only here: this is a container without the rights to boot another")
    if not Path("/sys/fs/cgroup").is_dir():
        found.append("there are no control groups at /sys/fs/cgroup")
    return found
