"""Findings: what a check saw, as data. Bad data is a finding, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """How much a finding matters: only an ERROR can block the day."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check saw.

    `rule` is a stable kebab-case name, `subject` the ticker, index symbol or series (or "" for the whole),
    `value` what was seen, as text, `message` a sentence with the rule and what to do.
    """

    severity: Severity
    rule: str
    subject: str
    message: str
    session: date | None = None
    value: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Plain values for JSON and the store."""
        return {
            "severity": str(self.severity),
            "rule": self.rule,
            "subject": self.subject,
            "session": self.session.isoformat() if self.session else None,
            "value": self.value,
            "message": self.message,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, str | None]) -> Finding:
        """Read back what `as_dict` wrote."""
        session = values["session"]
        return cls(
            severity=Severity(values["severity"] or ""),
            rule=values["rule"] or "",
            subject=values["subject"] or "",
            message=values["message"] or "",
            session=date.fromisoformat(session) if session else None,
            value=values["value"],
        )
