"""Metrics of the release that answers, and of what the release tool did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from portfolio.web.families import gauge, single
from portfolio.web.releases import DONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from portfolio.web.reading import Seen


def release_families(seen: Seen) -> Iterator[Metric]:
    """Yield them; a host on which nothing was released yet has no last switch."""
    running, history = seen.running, seen.releases
    yield gauge(
        "portfolio_release_info",
        "The release that answers (1).",
        ("version", "slot", "commit"),
        [((running.version, running.slot, running.commit), 1.0)],
    )
    last, back = history.last, history.rollbacks
    yield single(
        "portfolio_release_last_switch_timestamp_seconds",
        "When the newest switch or rollback ended.",
        last.at.timestamp() if last else None,
    )
    yield single(
        "portfolio_release_last_switch_success",
        "Whether the newest switch or rollback did what was asked (1) or not (0).",
        last.outcome == DONE if last else None,
    )
    yield CounterMetricFamily(
        "portfolio_release_rollbacks",
        "How often an earlier release came to serve again, asked for or because the new one failed.",
        value=len(back),
    )
    yield single(
        "portfolio_release_last_rollback_timestamp_seconds",
        "When an earlier release last came to serve again.",
        back[-1].at.timestamp() if back else None,
    )
    yield single(
        "portfolio_release_switch_in_hand", "Whether a switch is under way, or was interrupted.", history.in_hand
    )
    yield single(
        "portfolio_release_history_damaged_lines", "Lines of the history nobody can read.", history.damaged_lines
    )
