"""How the newest run of each flow ended, as its status file has it, and whether it is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from textwrap import shorten
from typing import TYPE_CHECKING

from portfolio.health.expected import due_nightly
from portfolio.health.verdict import Check, Status
from portfolio.status import read_statuses, status_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from portfolio.health.expected import Calendars
    from portfolio.settings import Settings
    from portfolio.status import Status as FlowStatus

# signal-generation has no schedule: an update starts it, and what it makes is looked at by the signal's own check.
FLOWS = ("data-update", "signal-generation", "backup")
GRACE = timedelta(minutes=30)  # a first fetch with all its retries, and the sessions made up before today's
# Longest time between two good ends with nothing wrong, and two hours: over a weekend (holidays are looked at and
# skipped), from the Thursday before Easter to the Tuesday after it, and over a night.
LONGEST_BETWEEN = {
    "data-update": timedelta(days=3, hours=2),
    "signal-generation": timedelta(days=5, hours=2),
    "backup": timedelta(days=1, hours=2),
}
REASON_SHOWN = 300  # characters: a sentence or two, the rest is in the log
LONGEST_RUN = timedelta(hours=2)  # nothing of ours runs that long; a hanging run keeps the next ones waiting
SEE_LOG = "see the run's log in Prefect's UI, or the worker's log; start it again there, or run `portfolio run`"
SEE_SCHEDULE = (
    "see whether server and worker run: `make up` starts what does not; on a server `systemctl restart "
    "portfolio-recover`"
)


@dataclass(frozen=True, slots=True)
class Flows:
    """What the state's folder tells of the flows; `used_since` is None when none ever ran from it."""

    statuses: Mapping[str, FlowStatus]
    used_since: datetime | None


def read_flows(state_dir: Path) -> Flows:
    """Read every flow's status, and since when flows are used here at least."""
    statuses = {status.flow: status for status in read_statuses(status_folder(state_dir))}
    since = min((status.started_at for status in statuses.values()), default=_prefect_since(state_dir / "prefect"))
    return Flows(statuses, since)


def check_flows(flows: Flows, settings: Settings, calendars: Calendars | None, now: datetime) -> tuple[Check, ...]:
    """Look at each flow; `calendars` are seen from the wall clock, None when the store does not open."""
    if flows.used_since is None:
        return (Check("flows", Status.HEALTHY, "no flows: `make up` runs them each session morning"),)
    due = flows_due(settings, calendars, now)
    return tuple(_check_flow(name, flows, due.get(name), now) for name in sorted({*FLOWS, *flows.statuses}, key=_place))


def flows_due(settings: Settings, calendars: Calendars | None, now: datetime) -> dict[str, datetime | None]:
    """Return, by flow with a schedule, the newest instant at which it should have started; None when nobody knows."""
    return {
        "data-update": calendars.due_on_sessions(settings.day_at, GRACE) if calendars else None,
        "backup": due_nightly(settings.backup_at, GRACE, now),
    }


def _place(name: str) -> tuple[int, str]:
    return (FLOWS.index(name) if name in FLOWS else len(FLOWS), name)


def _check_flow(name: str, flows: Flows, due: datetime | None, now: datetime) -> Check:
    status = flows.statuses.get(name)
    if status is None:
        return _check_absent(name, flows, due)
    if status.outcome == "damaged":
        return Check(name, Status.DEGRADED, status.reason, "nothing, when its next run ends well")
    seen = f"{status.outcome}, started {_minute(status.started_at)}"
    if status.outcome == "running":
        return _check_running(name, status, seen, now)
    if status.outcome in {"failed", "refused", "busy"}:
        return Check(name, Status.DEGRADED, f"{seen}: {shorten(status.reason, REASON_SHOWN)}", SEE_LOG)
    if due and status.started_at < due:
        return Check(name, Status.DEGRADED, f"{seen}; it was due at {_minute(due)}", SEE_SCHEDULE)
    return Check(name, Status.HEALTHY, seen)


def _check_absent(name: str, flows: Flows, due: datetime | None) -> Check:
    if due and flows.used_since and flows.used_since <= due:
        return Check(name, Status.DEGRADED, f"never ran; it was due at {_minute(due)}", SEE_SCHEDULE)
    return Check(name, Status.HEALTHY, "has not run yet")


def _check_running(name: str, status: FlowStatus, seen: str, now: datetime) -> Check:
    if status.interrupted:
        gone = f"{seen}, and was interrupted: its process {status.pid} has gone"
        return Check(
            name, Status.DEGRADED, gone, "nothing was half written: its next run goes on, start it to have it now"
        )
    if now - status.started_at > LONGEST_RUN:
        return Check(
            name, Status.DEGRADED, f"{seen}, and hangs", f"see its log; end process {status.pid} when it stands still"
        )
    return Check(name, Status.HEALTHY, seen)


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _prefect_since(folder: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except OSError:
        return None
