"""A process that has imported Prefect and forks one flow run from itself: a run costs a second, not a start.

It reads jobs from stdin, one JSON line each, and answers each with a line: how the fork ended (-9: killed), how long it
took, what it said. Itself it asks Prefect nothing and starts no thread, so a fork of it is as good as a new process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import hmmlearn.hmm  # noqa: F401  # a fit imports it late: here once, before any fork
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Pending

import flows.backing_up  # as hmmlearn
import flows.deciding  # as hmmlearn
import flows.updating  # noqa: F401  # as hmmlearn
import portfolio.sources.live  # noqa: F401  # as hmmlearn
from flows.backup import backup
from flows.data_update import data_update
from flows.preparing import Start, prepared
from flows.signal_generation import signal_generation
from portfolio.day.entry import enter
from portfolio.sessions import moment_at
from portfolio.settings import read_settings
from tests.support.command import uncounted
from tests.support.days import paris

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Fork = Callable[..., tuple[int, float]]

ROOT = Path(__file__).parents[2]
BUG = 70  # what sysexits.h calls an internal error; no code of ours
FLOWS: dict[str, Any] = {flow.name: flow for flow in (data_update, signal_generation, backup)}
LONGEST_S = 240.0


def serve() -> None:
    moment_at(paris("2001-06-01 07:30"))  # the calendars are made once, before any fork
    print("ready", flush=True)  # noqa: T201  # the answers' channel
    for line in sys.stdin:
        print(json.dumps(_forked(**json.loads(line))), flush=True)  # noqa: T201  # as above


def _forked(kill_after_s: float | None, **job: Any) -> dict[str, Any]:
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.dup2(2, 1)  # stdout is the answers' channel
        os._exit(_done(**job))
    status = _waited(pid, LONGEST_S if kill_after_s is None else kill_after_s)
    return {"exit_code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - started}


def _waited(pid: int, seconds: float) -> int:
    """Wait for a child, and kill it when it takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
    return os.waitpid(pid, 0)[1]


def _done(flow_run: str | None = None, as_of: str | None = None, data_dir: str | None = None) -> int:
    if data_dir:
        os.environ["DATA_DIR"] = data_dir
    try:
        assert threading.active_count() == 1
        if flow_run:
            return _flow(UUID(flow_run))
        _start_up(datetime.fromisoformat(as_of) if as_of else None)
    except BaseException:  # noqa: BLE001  # the end of a forked process: nobody above may see the exception
        traceback.print_exc()
        return BUG
    return 0


def _flow(run_id: UUID) -> int:
    """Do a flow run that Prefect has scheduled, as a worker's process would."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Pending())
        scheduled = client.read_flow_run(run_id)
        name = client.read_flow(scheduled.flow_id).name
    # The thread of the heartbeats sleeps whole seconds, and its end is waited for.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        state: Any = run_flow(FLOWS[name], flow_run=scheduled, return_type="state")
    return 0 if state.is_completed() else 1


def _start_up(as_of: datetime | None) -> None:
    run = enter("startup", read_settings(), as_of)
    for line in prepared(Start(run, Path.cwd(), "test", as_of=as_of)):
        print(line)  # noqa: T201  # to the log


@contextmanager
def forking_flows(folder: Path, environment: Mapping[str, str]) -> Iterator[Fork]:
    """Start the process in the folder and give a function that does a job in a fork, killed after so many seconds."""
    with (folder / "forks.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.flow_forks"],
            cwd=folder,
            env=uncounted(environment) | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
        )
    assert server.stdin is not None
    assert server.stdout is not None
    jobs, answers = server.stdin, server.stdout

    def fork(kill_after_s: float | None = None, **job: Any) -> tuple[int, float]:
        jobs.write(json.dumps({"kill_after_s": kill_after_s, **job}) + "\n")
        answer = json.loads(answers.readline())
        return answer["exit_code"], answer["seconds"]

    try:
        assert answers.readline() == "ready\n"
        yield fork
    finally:
        jobs.close()  # its loop ends, and it waits for no child: each was reaped
        answers.close()
        server.wait(30)


if __name__ == "__main__":
    serve()
