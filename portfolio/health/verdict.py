"""What a check says: a status, what it saw, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Status(IntEnum):
    """How well it is; the worst check is the whole's."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One check's verdict; `to_do` is empty when there is nothing to do."""

    name: str
    status: Status
    seen: str
    to_do: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {"check": self.name, "status": self.status.name, "seen": self.seen, "to_do": self.to_do}


def worst(checks: Iterable[Check]) -> Status:
    """Return the status of the whole; nothing looked at is nothing known to be well."""
    return max((check.status for check in checks), default=Status.UNHEALTHY)
