"""Processes in the background that outlive the command that starts them, each with a record and a log file."""

from __future__ import annotations

import json
import os
import signal
import subprocess  # nosec B404  # what this module is for
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.atomic import replace_text
from portfolio.errors import PortfolioError
from portfolio.processes import birth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POLL_S = 0.5
QUIET_POLLS = 3  # a worker between two steps of starting a flow has no child for a moment
LOG_TAIL = 2000  # characters of a log shown when its process has died


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something has held for a few polls in a row; tell whether it did in time."""
    deadline, quiet = time.monotonic() + seconds, 0
    while quiet < QUIET_POLLS and time.monotonic() < deadline:
        quiet = quiet + 1 if holds() else 0
        time.sleep(POLL_S)
    return quiet >= QUIET_POLLS


class Background:
    """One process by the name of its record, `<folder>/<name>.json`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.record = folder / f"{name}.json"
        self.log = folder / f"{name}.log"
        self._started: subprocess.Popen[bytes] | None = None

    def facts(self) -> dict[str, Any]:
        """Read what was recorded when it was started; nothing when it never was, or the record is damaged."""
        try:
            facts = json.loads(self.record.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def runs(self) -> bool:
        """Tell whether the process recorded is alive, and not another one that has its number."""
        facts = self.facts()
        runs = bool(facts.get("born")) and birth_of(int(facts.get("pid", 0))) == facts["born"]
        if not runs and self._started is not None:
            self._started.poll()  # only now: one that ends between the two would never be collected
        return runs

    def start(self, command: Sequence[str], environment: Mapping[str, str], facts: Mapping[str, Any]) -> None:
        """Start it with its output in the log, as the head of a group of its own."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._started = subprocess.Popen(  # noqa: S603  # nosec B603  # our own commands
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_listen_to_signals,  # noqa: PLW1509  # this process has one thread
            )
        record = dict(facts) | {"pid": self._started.pid, "born": birth_of(self._started.pid)}
        replace_text(self.record, json.dumps(record) + "\n")

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready; raises PortfolioError with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.runs() or time.monotonic() > deadline:
                what = f"was not ready after {seconds:g} s" if self.runs() else "ended while it started"
                tail = self.log.read_text("utf-8", errors="replace")[-LOG_TAIL:]
                message = f"Prefect's {self.name} {what}; {self.log} ends with:\n{tail}"
                raise PortfolioError(message)
            time.sleep(POLL_S)

    def children(self) -> list[int]:
        """List its child processes: of a worker, the flows it runs."""
        tasks = Path(f"/proc/{self.facts().get('pid', 0)}/task")
        try:
            return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
        except OSError:  # it ended meanwhile
            return []

    def end(self, seconds: float) -> None:
        """Ask it to end, and kill it when it does not."""
        for number, patience_s in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
            if not self.runs():
                break
            os.kill(self.facts()["pid"], number)
            deadline = time.monotonic() + patience_s
            while self.runs() and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self.record.unlink(missing_ok=True)


def _listen_to_signals() -> None:
    """Undo what a shell does that starts something with `&`: Prefect's worker ends itself by SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
