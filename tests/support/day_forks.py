"""A process that has imported everything and forks a day from itself: a kill costs milliseconds, not a start.

It reads jobs from stdin, one JSON line each: a folder, an instant, what to do (the day, a backup, a restore), and when
to kill it: after so many seconds, or before its n-th change of a folder, or never. It answers each with a line: how it
ended (-9: killed), how long it took, and how many changes of folders it made. It opens no store and starts no thread,
so a fork of it is as good as a new process.
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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hmmlearn.hmm  # noqa: F401  # a fit imports it late: here once, before any fork

from portfolio.backup.choose import chosen_backup
from portfolio.day.backup import backup_store
from portfolio.day.restore import restore_store
from portfolio.day.stages import run_day
from portfolio.errors import PortfolioError
from portfolio.sessions import moment_at
from tests.support.command import environment, uncounted
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portfolio.day.run import Run

    Day = Callable[..., tuple[int, float]]
    Ask = Callable[..., dict[str, Any]]

ROOT = Path(__file__).parents[2]
CHANGES = frozenset({"os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir"})  # audit events
BUG = 70  # what sysexits.h calls an internal error; no code of ours


def serve() -> None:
    moment_at(paris("2001-06-01 07:30"))  # the calendars are made once, before any fork
    print("ready", flush=True)  # noqa: T201  # the answers' channel
    for line in sys.stdin:
        print(json.dumps(_forked(**json.loads(line))), flush=True)  # noqa: T201  # as above


def _forked(
    folder: str, instant: str, what: str, kill_after_s: float | None = None, kill_at_change: int | None = None
) -> dict[str, Any]:
    started, (answer, child_answers) = time.perf_counter(), os.pipe()
    pid = os.fork()
    if pid == 0:
        changes = _counted_changes(kill_at_change)
        code = _done(Path(folder), instant, what)
        os.write(child_answers, str(len(changes)).encode())
        os._exit(code)
    os.close(child_answers)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
    _, status = os.waitpid(pid, 0)
    with open(answer, encoding="ascii") as told:  # noqa: PTH123  # a descriptor, not a path
        changes_made = int(told.read() or 0)
    seconds = time.perf_counter() - started
    return {"exit_code": os.waitstatus_to_exitcode(status), "seconds": seconds, "changes": changes_made}


def _counted_changes(kill_at: int | None) -> list[str]:
    """Let Python tell of each change of a folder that it is about to make, and end this process before one of them."""
    changes: list[str] = []

    def note(event: str, _: object) -> None:
        if event in CHANGES:
            changes.append(event)
            if len(changes) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)
    return changes


def _done(folder: Path, instant: str, what: str) -> int:
    try:
        assert threading.active_count() == 1
        return JOBS[what](run_at(settings_in(folder), paris(instant), what.split(maxsplit=1)[0]))
    except PortfolioError as error:
        return int(error.exit_code)
    except BaseException:  # noqa: BLE001  # the end of a forked process: nobody above may see the exception
        traceback.print_exc()
        return BUG


def _backup(run: Run) -> int:
    backup_store(run)
    return 0


def _restore(run: Run, *, force: bool = False) -> int:
    restore_store(run, chosen_backup(run.settings.backups_dir, "newest"), force=force)
    return 0


JOBS: dict[str, Callable[[Run], int]] = {
    "run": lambda run: int(run_day(run).exit_code),
    "backup": _backup,
    "restore": _restore,
    "restore --force": partial(_restore, force=True),
}


@contextmanager
def forking(folder: Path) -> Iterator[Day]:
    """Start the process and give a function that does a day, killed after so many seconds or left to end."""
    with answering(folder) as ask:

        def day(place: Path, instant: str, kill_after_s: float | None = None) -> tuple[int, float]:
            answer = ask(place, instant, kill_after_s=kill_after_s)
            return answer["exit_code"], answer["seconds"]

        yield day


@contextmanager
def answering(folder: Path) -> Iterator[Ask]:
    """Start the process and give a function that has it do one job and returns its answer."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.day_forks"],
        cwd=folder,
        env=uncounted(environment(folder))
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    jobs, answers = server.stdin, server.stdout

    def ask(place: Path, instant: str, what: str = "run", **kill: float | None) -> dict[str, Any]:
        jobs.write(json.dumps({"folder": str(place), "instant": instant, "what": what, **kill}) + "\n")
        return json.loads(answers.readline())

    try:
        assert answers.readline() == "ready\n"
        yield ask
    finally:
        jobs.close()  # its loop ends, and it waits for no child: each was reaped
        answers.close()
        server.wait(30)


if __name__ == "__main__":
    serve()
