"""Whether the daemon has fallen silent: what should have run and left no sign, or a session without its decision.

Flows tell of their own failures. This looks from outside, for the failures that nobody tells: a scheduler that is
down, a worker that never started, a process that was killed.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.health.decision import is_overdue
from portfolio.health.flows import LONGEST_RUN, flows_due, read_flows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from portfolio.health.flows import Flows
    from portfolio.health.published import Published
    from portfolio.settings import Settings
    from portfolio.status import Status as FlowStatus

FIRST_RUN = timedelta(hours=2)  # a first fetch of the whole history, its retries included, is long done


def silences(
    settings: Settings, published: Published | StoreError, now: datetime, installed_at: datetime | None = None
) -> tuple[str, ...]:
    """Say what is silent, in words without amounts or paths; nothing when the daemon lives.

    `installed_at` is since when this release is there, for a host where nothing has run yet; None when nobody knows.
    """
    flows = read_flows(settings.state_dir)
    if flows.used_since is None:
        young = installed_at is None or now - installed_at < FIRST_RUN
        return () if young else (f"nothing has run since the release was installed at {_minute(installed_at)}",)
    if isinstance(published, StoreError):
        young = now - flows.used_since < FIRST_RUN
        return () if young else (f"flows run since {_minute(flows.used_since)}, and nothing readable is published",)
    return (*_overdue(flows, settings, published, now), *_undecided(settings, published, now))


def _overdue(flows: Flows, settings: Settings, published: Published, now: datetime) -> Iterator[str]:
    """Name each flow that should have begun and did not, or began and never ended."""
    for name, due in flows_due(settings, published.calendars(now), now).items():
        status = flows.statuses.get(name)
        began = status.started_at if status else flows.used_since
        if due and began and began < due:
            yield f"{name} was due at {_minute(due)} and did not run"
        elif status and _stopped(status, now):
            yield f"{name} began at {_minute(status.started_at)} and never ended"


def _stopped(status: FlowStatus, now: datetime) -> bool:
    return status.interrupted or (status.outcome == "running" and now - status.started_at > LONGEST_RUN)


def _undecided(settings: Settings, published: Published, now: datetime) -> Iterator[str]:
    if is_overdue(published.calendars(now), published.signal, settings.day_at):
        decided = f"the newest is for {published.signal.session}" if published.signal else "there was never one"
        yield f"a session has no decision: {decided}"


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
