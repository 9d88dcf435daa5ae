"""Where one machine stands: its name, its addresses, its folders. Two names and two subnets are two machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

BACKUPS = "/srv/backups"  # as the test inventory has it
PROJECT = Path(__file__).resolve().parents[3]
# A link's name has at most 15 characters, and ours starts with "ve-".
LONGEST_NAME = 12


@dataclass(frozen=True, slots=True)
class Place:
    """A machine's name, its subnet, and the folder that holds all of it."""

    name: str
    subnet: IPv4Network
    build: Path

    @property
    def gateway(self) -> str:
        """Return this side of the cable."""
        return str(self.subnet[1])

    @property
    def address(self) -> str:
        """Return the machine's side of the cable."""
        return str(self.subnet[2])

    @property
    def cable(self) -> str:
        """Return this side's interface."""
        return f"ve-{self.name}"

    @property
    def folder(self) -> Path:
        return self.build / self.name

    @property
    def root(self) -> Path:
        """Return the machine's file system."""
        return self.folder / "root"

    @property
    def key(self) -> Path:
        """Return the private SSH key that root's account lets in."""
        return self.folder / "ssh_key"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def packages(self) -> Path:
        """Return the packages that apt fetched once: every machine finds them there."""
        return self.build / "packages"


def place() -> Place:
    """Read the place from VPS_NAME, VPS_SUBNET and VPS_BUILD; parallel runs need different ones."""
    name = os.environ.get("VPS_NAME", "pf-vps")
    if not name.replace("-", "").isalnum() or len(name) > LONGEST_NAME:
        message = f"VPS_NAME must be letters, digits and dashes, at most {LONGEST_NAME} of them; it is {name!r}."
        raise SystemExit(message)
    build = Path(os.environ.get("VPS_BUILD", PROJECT / "build" / "machine"))
    return Place(name, IPv4Network(os.environ.get("VPS_SUBNET", "10.98.13.0/24")), build.resolve())
