"""What is said of the journal, from drawn runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portfolio.health.runs import check_runs
from portfolio.health.verdict import Status
from portfolio.store.journal import Run

NOW = datetime(2024, 3, 25, 9, 0, tzinfo=UTC)
MONDAY = date(2024, 3, 25)


def run(command: str, outcome: str | None, minute: int) -> Run:
    started = NOW.replace(minute=minute)
    return Run(f"r{minute}", command, MONDAY, started, "0.1.0", "sample", 1, started, outcome, 0, 0, 0, "{}")


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([], Status.DEGRADED),
        ([run("run", "done", 1)], Status.HEALTHY),
        ([run("run", "hold", 1)], Status.HEALTHY),  # the signal's own check tells of a HOLD
        ([run("run", "failed", 1)], Status.DEGRADED),
        ([run("ledger", "done", 2), run("run", "failed", 1)], Status.DEGRADED),  # another command makes up for nothing
        ([run("run", "done", 2), run("orders", "failed", 1)], Status.HEALTHY),  # the whole day does
        ([run("orders", "done", 2), run("orders", "refused", 1)], Status.HEALTHY),
    ],
)
def test_runs_are_well_when_no_failure_is_left_to_make_up_for(runs, status):
    assert check_runs(runs, interrupted=False).status is status


def test_runs_are_degraded_when_one_has_no_end_or_a_writer_was_killed():
    goes_on = replace(run("run", None, 2), finished_at=None)
    assert check_runs([goes_on, run("run", "done", 1)], interrupted=False).status is Status.DEGRADED
    assert check_runs([run("run", "done", 1)], interrupted=True).status is Status.DEGRADED
