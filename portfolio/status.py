"""Status files: each flow says that it runs, and how it ended, even when the store cannot be written.

Comes in: a folder and one flow's status. Goes out: `<folder>/<flow>.json`, replaced in one step. Never: a lock, the
store, a secret, a crash over a damaged file.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from portfolio.atomic import replace_text
from portfolio.processes import birth_of, is_alive, is_same_birth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# "damaged" is never written: it is what a file that cannot be read is read as.
Outcome = Literal["running", "done", "hold", "skipped", "failed", "refused", "busy", "damaged"]
OUTCOMES: frozenset[str] = frozenset(get_args(Outcome))
# A HOLD is an answer and a skip is a look: the flow did what it is for.
SUCCESSES = frozenset({"done", "hold", "skipped"})

FLOW_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
REASON_CHARACTERS = 2000  # a sentence or a few; a traceback belongs to the log


@dataclass(frozen=True, slots=True)
class Status:
    """What a flow says of its newest run; the ending's fields are None while it runs.

    `born` tells the process from a later one with the same `pid`. A damaged file has `started_at` from the disk.
    `last_success_at` is when a run of the flow last ended well, this one or one before it; None when none is known of.
    """

    flow: str
    run_id: str
    session: date | None
    started_at: datetime
    outcome: Outcome
    release: str
    pid: int
    born: str = ""
    finished_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    last_success_at: datetime | None = None

    @property
    def interrupted(self) -> bool:
        """Whether it says that it runs while its process has gone."""
        if self.outcome != "running":
            return False
        now = birth_of(self.pid)
        return not is_alive(self.pid) or (bool(self.born and now) and not is_same_birth(self.born, now))


def started_status(flow: str, run_id: str, session: date | None, started_at: datetime, release: str) -> Status:
    """Return the status of a flow that this process has just begun."""
    return Status(flow, run_id, session, started_at, "running", release, os.getpid(), birth_of(os.getpid()))


def ended_status(begun: Status, outcome: Outcome, finished_at: datetime, exit_code: int, reason: str = "") -> Status:
    """Return a begun flow's status at its end."""
    ended = replace(begun, outcome=outcome, finished_at=finished_at, exit_code=exit_code, reason=reason)
    return replace(ended, last_success_at=finished_at) if outcome in SUCCESSES else ended


def status_folder(state_dir: Path) -> Path:
    """Return the folder of a store's status files."""
    return state_dir / "status"


def write_status(folder: Path, status: Status) -> Path:
    """Write a flow's status in one step and return its file; what it replaces passes on its last success.

    Raises OSError when the disk or a right refuses, ValueError for a flow's name that is no plain file name.
    """
    if not FLOW_NAME.fullmatch(status.flow):
        message = f"The flow's name {status.flow!r} becomes a file's: lower-case letters, digits and hyphens only."
        raise ValueError(message)
    path = folder / f"{status.flow}.json"
    succeeded_at = status.last_success_at or _read(path).last_success_at
    replace_text(path, json.dumps(_as_json(replace(status, last_success_at=succeeded_at)), indent=2) + "\n")
    return path


def read_statuses(folder: Path) -> tuple[Status, ...]:
    """Read every flow's status, by name; a file that cannot be read is a status with the outcome "damaged"."""
    return tuple(_read(path) for path in sorted(folder.glob("[!.]*.json")))


def read_status(folder: Path, flow: str) -> Status | None:
    """Read one flow's status as `read_statuses` does; None when it never ran."""
    return next((status for status in read_statuses(folder) if status.flow == flow), None)


def _as_json(status: Status) -> dict[str, Any]:
    return {
        "flow": status.flow,
        "run_id": status.run_id,
        "session": status.session.isoformat() if status.session else None,
        "started_at": _instant(status.started_at),
        "finished_at": _instant(status.finished_at) if status.finished_at else None,
        "last_success_at": _instant(status.last_success_at) if status.last_success_at else None,
        "outcome": status.outcome,
        "exit_code": status.exit_code,
        "reason": status.reason[:REASON_CHARACTERS],
        "release": status.release,
        "pid": status.pid,
        "born": status.born,
    }


def _instant(instant: datetime) -> str:
    if instant.tzinfo is None:
        message = f"A status has aware instants; {instant.isoformat()} has no time zone."
        raise ValueError(message)
    return instant.astimezone(UTC).isoformat()


def _read(path: Path) -> Status:
    try:
        return _from_json(path.stem, json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = f"{path} is no status of ours ({type(error).__name__}); the flow's next run writes it anew."
        return Status(path.stem, "", None, _written_at(path), "damaged", "", 0, reason=reason)


def _from_json(flow: str, values: Mapping[str, Any]) -> Status:
    if values["flow"] != flow or values["outcome"] not in OUTCOMES:
        message = f"flow {values['flow']!r}, outcome {values['outcome']!r}"
        raise ValueError(message)
    finished_at = _aware(values["finished_at"]) if values["finished_at"] else None
    return Status(
        flow=flow,
        run_id=str(values["run_id"]),
        session=date.fromisoformat(values["session"]) if values["session"] else None,
        started_at=_aware(values["started_at"]),
        finished_at=finished_at,
        outcome=values["outcome"],
        exit_code=None if values["exit_code"] is None else int(values["exit_code"]),
        reason=str(values["reason"]),
        release=str(values["release"]),
        pid=int(values["pid"]),
        born=str(values.get("born", "")),
        last_success_at=_last_success(values, finished_at),
    )


def _last_success(values: Mapping[str, Any], finished_at: datetime | None) -> datetime | None:
    """Read when the flow last ended well; without the field (an older release wrote it) the newest run tells."""
    if values.get("last_success_at"):
        return _aware(values["last_success_at"])
    return finished_at if values["outcome"] in SUCCESSES else None


def _aware(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        message = f"{text!r} has no time zone"
        raise ValueError(message)
    return instant


def _written_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)
