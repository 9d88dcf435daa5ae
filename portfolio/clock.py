"""The only clock: "now" is read here, once per run, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime


def now_utc() -> datetime:
    """Read the clock; called once, at entry."""
    return datetime.now(UTC)
