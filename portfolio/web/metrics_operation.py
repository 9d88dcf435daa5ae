"""Metrics of how the daemon runs: its flows, its backups, its health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.health.expected import Calendars
from portfolio.health.flows import FLOWS, LONGEST_BETWEEN, flows_due
from portfolio.status import OUTCOMES
from portfolio.web.families import Row, gauge, single, states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from portfolio.status import Status
    from portfolio.web.reading import Seen

INTERRUPTED = "interrupted"
EVERY_OUTCOME = (*sorted(OUTCOMES), INTERRUPTED)


def operation_families(seen: Seen) -> Iterator[Metric]:
    """Yield them."""
    yield from _flows(seen)
    yield from _backups(seen)
    yield gauge(
        "portfolio_health_check_status",
        "Verdict of each health check: 0 HEALTHY, 1 DEGRADED, 2 UNHEALTHY.",
        ("check",),
        [((check.name,), float(check.status)) for check in seen.health.checks],
    )
    yield single(
        "portfolio_health_status", "The worst verdict: 0 HEALTHY, 1 DEGRADED, 2 UNHEALTHY.", seen.health.status
    )


def _flows(seen: Seen) -> Iterator[Metric]:
    statuses = seen.flows.statuses
    yield gauge(
        "portfolio_flow_last_run_timestamp_seconds",
        "When the newest run of a flow started.",
        ("flow",),
        [((flow,), status.started_at.timestamp()) for flow, status in statuses.items()],
    )
    yield gauge(
        "portfolio_flow_last_success_timestamp_seconds",
        "When a flow last ended well: done, hold or skipped.",
        ("flow",),
        [((flow,), at.timestamp()) for flow, status in statuses.items() if (at := status.last_success_at)],
    )
    yield gauge(
        "portfolio_flow_last_run_outcome",
        "How the newest run of a flow ended, or that it runs (1).",
        ("flow", "outcome"),
        [row for flow in dict.fromkeys((*FLOWS, *statuses)) for row in _outcomes(flow, statuses.get(flow))],
    )
    yield gauge(
        "portfolio_flow_last_run_duration_seconds",
        "How long the newest run of a flow took; not told while it runs.",
        ("flow",),
        [((flow,), took) for flow, status in statuses.items() if (took := _duration_s(status)) is not None],
    )
    yield gauge(
        "portfolio_flow_max_age_seconds",
        "Longest time between two good ends of a flow when nothing is wrong.",
        ("flow",),
        [((flow,), age.total_seconds()) for flow, age in LONGEST_BETWEEN.items()],
    )
    yield gauge("portfolio_flow_due_timestamp_seconds", "When a flow should have started last.", ("flow",), _due(seen))


def _outcomes(flow: str, status: Status | None) -> list[Row]:
    current = None if status is None else INTERRUPTED if status.interrupted else status.outcome
    return states((flow,), EVERY_OUTCOME, current)


def _duration_s(status: Status) -> float | None:
    return (status.finished_at - status.started_at).total_seconds() if status.finished_at else None


def _due(seen: Seen) -> list[Row]:
    published = seen.published
    calendars = None if isinstance(published, StoreError) else Calendars(published.sessions, seen.now)
    due = flows_due(seen.settings, calendars, seen.now)
    return [((flow,), at.timestamp()) for flow, at in due.items() if at]


def _backups(seen: Seen) -> Iterator[Metric]:
    newest = seen.backups.newest_at
    yield single(
        "portfolio_backup_last_success_timestamp_seconds",
        "When the newest backup that looks whole was made.",
        newest.timestamp() if newest else None,
    )
    age_s = max(0.0, (seen.now - newest).total_seconds()) if newest else None
    yield single("portfolio_backup_age_seconds", "Age of the newest backup that looks whole.", age_s)
    counts: list[Row] = [(("whole",), seen.backups.whole), (("damaged",), seen.backups.damaged)]
    yield gauge("portfolio_backups", "Backups by how they look.", ("state",), counts)
