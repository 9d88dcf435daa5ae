"""The locked packages that the target needs: markers of the universal lock answered for it, not for this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from artefact.target import MARKERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONTINUED = re.compile(r"\\\n")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package at one version, with the hashes of its files that the lock allows."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def line(self) -> str:
        """Write it as a line of a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={value}" for value in self.hashes)])


def pins_of(lock: str) -> tuple[Pin, ...]:
    """Read a lock file's text and keep what the target needs.

    Raises ValueError for a line that is not pinned and hashed, and for a package that is wanted twice.
    """
    wanted = tuple(_wanted(lock))
    names = [pin.name for pin in wanted]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"The lock wants {', '.join(twice)} at two versions for {MARKERS['python_full_version']}: lock anew."
        raise ValueError(message)
    return wanted


def requirements(pins: Sequence[Pin]) -> str:
    """Write pins as a requirements file."""
    return "".join(f"{pin.line()}\n" for pin in sorted(pins, key=lambda pin: pin.name))


def _wanted(lock: str) -> Iterator[Pin]:
    for raw in _CONTINUED.sub(" ", lock).splitlines():
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        requirement = Requirement(line.partition(" --hash=")[0])
        if requirement.marker and not requirement.marker.evaluate(MARKERS):
            continue
        hashes = tuple(_HASH.findall(line))
        version = re.fullmatch(r"==([^*,]+)", str(requirement.specifier))
        if version is None or not hashes:
            message = f"A lock pins and hashes every package; this line does not: {line[:80]!r}. Run `make lock`."
            raise ValueError(message)
        yield Pin(canonicalize_name(requirement.name), version[1], hashes)
