"""Runs that somebody asks for while releases switch: each has to be done, and done once, whichever release does it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.machine.loopback import prefect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine.place import Place

DEPLOYMENT = "backup/nightly"
TAG = "asked-for"
EVERY_S = 12.0
LAST_ENDS_S = 300
# A run that is brought along to another queue is made anew under the same tag, and the old one goes.
AT_WORK = frozenset({"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"})


@contextmanager
def asking(at: Place) -> Iterator[list[str]]:
    """Ask for a backup every twelve seconds; yields the tags of those that Prefect took."""
    asked: list[str] = []
    done = threading.Event()
    asker = threading.Thread(target=_ask, args=(at, asked, done), daemon=True)
    asker.start()
    try:
        yield asked
    finally:
        done.set()
        asker.join()


def _ask(at: Place, asked: list[str], done: threading.Event) -> None:
    deployment = prefect(at, f"/deployments/name/{DEPLOYMENT}", method="GET")["id"]
    while not done.wait(EVERY_S):
        tag = f"{TAG} {len(asked)}"
        prefect(at, f"/deployments/{deployment}/create_flow_run", tags=[TAG, tag])
        asked.append(tag)


def ended(at: Place, asked: list[str]) -> dict[str, int]:
    """Wait until none is at work any more; count how those that were asked for ended."""
    until = time.monotonic() + LAST_ENDS_S
    while time.monotonic() < until and any(run["state_type"] in AT_WORK for run in _runs(at)):
        time.sleep(1)
    runs = _runs(at)
    return dict(Counter(_how([run for run in runs if tag in run["tags"]]) for tag in asked))


def _how(runs: list[dict[str, Any]]) -> str:
    if not runs:
        return "lost"
    if len(runs) > 1:
        return f"{len(runs)} runs"
    state, count = runs[0]["state_type"], runs[0]["run_count"]
    return f"{state}, run once" if count == 1 else f"{state}, run {count} times"


def _runs(at: Place) -> list[dict[str, Any]]:
    return prefect(at, "/flow_runs/filter", flow_runs={"tags": {"all_": [TAG]}}, limit=200)
