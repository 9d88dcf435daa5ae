"""A process that has imported everything and forks a day from itself: a kill costs milliseconds, not a start.

It reads jobs from stdin, one JSON line each (folder, instant, and seconds until the kill or null), and answers each
with a line: how the day ended (-9: killed) and how long it took. It opens no store and starts no thread, so a fork
of it is as good as a new process.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.day.stages import run_day
from portfolio.errors import PortfolioError
from portfolio.sessions import moment_at
from tests.support.command import environment
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Day = Callable[..., tuple[int, float]]

ROOT = Path(__file__).parents[2]
BUG = 70  # what sysexits.h calls an internal error; no code of ours


def serve() -> None:
    moment_at(paris("2001-06-01 07:30"))  # the calendars are made once, before any fork
    print("ready", flush=True)  # noqa: T201  # the answers' channel
    for line in sys.stdin:
        print(json.dumps(_forked(**json.loads(line))), flush=True)  # noqa: T201  # as above


def _forked(folder: str, instant: str, kill_after_s: float | None) -> dict[str, Any]:
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(_day(Path(folder), instant))
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
    _, status = os.waitpid(pid, 0)
    return {"exit_code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - started}


def _day(folder: Path, instant: str) -> int:
    try:
        assert threading.active_count() == 1
        return int(run_day(run_at(settings_in(folder), paris(instant))).exit_code)
    except PortfolioError as error:
        return int(error.exit_code)
    except BaseException:  # noqa: BLE001  # the end of a forked process: nobody above may see the exception
        traceback.print_exc()
        return BUG


@contextmanager
def forking(folder: Path) -> Iterator[Day]:
    """Start the process and give a function that does a day, killed after so many seconds or left to end."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.day_forks"],
        cwd=folder,
        env=_uncounted(folder) | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    jobs, answers = server.stdin, server.stdout

    def day(place: Path, instant: str, kill_after_s: float | None = None) -> tuple[int, float]:
        jobs.write(json.dumps({"folder": str(place), "instant": instant, "kill_after_s": kill_after_s}) + "\n")
        answer = json.loads(answers.readline())
        return answer["exit_code"], answer["seconds"]

    try:
        assert answers.readline() == "ready\n"
        yield day
    finally:
        jobs.close()  # its loop ends, and it waits for no child: each was reaped
        answers.close()
        server.wait(30)


def _uncounted(folder: Path) -> dict[str, str]:
    """An environment in which no coverage is taken, which would make a day twice as long."""
    return {key: value for key, value in environment(folder).items() if not key.startswith("COVERAGE_")}


if __name__ == "__main__":
    serve()
