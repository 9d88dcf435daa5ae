"""What the release tool did on this host, read from the history it keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HISTORY, SWITCH = "history.jsonl", "switch.json"
READ_BYTES = 1_000_000  # of the history's end: thousands of switches
DONE = "done"  # the outcome of a switch or rollback that did what was asked
ROLLED_BACK = "rolled-back"
# Steps of a switch in which nothing but the earlier release has served; docs/RELEASE.md has them all.
BEFORE_IT_SERVES = frozenset({"prepare", "check", "pause", "wait", "copy", "migrate"})


@dataclass(frozen=True, slots=True)
class Change:
    """One ended switch or rollback."""

    at: datetime
    verb: str
    outcome: str
    step: str

    @property
    def goes_back(self) -> bool:
        """Whether an earlier release came to serve again, asked for or because the new one failed."""
        if self.verb == "rollback":
            return self.outcome == DONE
        return self.outcome == ROLLED_BACK and self.step not in BEFORE_IT_SERVES


@dataclass(frozen=True, slots=True)
class ReleaseHistory:
    """Every ended change, oldest first, and whether one is in hand; `readable` is false when the history is damaged."""

    changes: tuple[Change, ...] = ()
    in_hand: bool = False
    damaged_lines: int = 0

    @property
    def last(self) -> Change | None:
        """The newest change."""
        return self.changes[-1] if self.changes else None

    @property
    def rollbacks(self) -> tuple[Change, ...]:
        """Changes after which an earlier release served again."""
        return tuple(change for change in self.changes if change.goes_back)


def read_history(folder: Path) -> ReleaseHistory:
    """Read the release tool's history; none at all is that of a host on which nothing was released."""
    lines = list(_lines(folder / HISTORY))
    changes = [change for change in map(_change, lines) if change]
    return ReleaseHistory(tuple(changes), _in_hand(folder / SWITCH), len(lines) - len(changes))


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - READ_BYTES))
            text = file.read(READ_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return
    yield from (line for line in text.splitlines() if line.strip())


def _change(line: str) -> Change | None:
    try:
        values: dict[str, Any] = json.loads(line)
        at = datetime.fromisoformat(values["at"])
        words = (str(values[name]) for name in ("verb", "outcome", "step"))
        return Change(at, *words) if at.tzinfo else None
    except (ValueError, TypeError, KeyError, RecursionError):  # a line cut off by a full disk, say
        return None


def _in_hand(path: Path) -> bool:
    return path.exists()
