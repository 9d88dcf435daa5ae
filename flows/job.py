"""What every flow does around its work: begin a run, leave its status, name the run in Prefect, ping, tell its end."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run

from flows.outcomes import skipped, state_of
from portfolio import __version__
from portfolio.clock import now_utc
from portfolio.day.entry import enter
from portfolio.day.stages import OUTCOMES
from portfolio.errors import ExitCode, PortfolioError
from portfolio.health.heartbeat import Heartbeat
from portfolio.settings import read_settings
from portfolio.status import Outcome, Status, ended_status, read_status, started_status, status_folder, write_status
from portfolio.systemd import notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from prefect.client.schemas.objects import State

    from portfolio.day.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a flow, in our words and in Prefect's."""

    run: Run
    begun: Status
    heartbeat: Heartbeat
    beside: bool = False  # another run of the flow goes on: its status is not written over by one that leaves it alone

    def heartbeat_of(self, session: date) -> Heartbeat:
        """Return the pings of another session than the run's own: the service joins a start and its end by it."""
        return Heartbeat.from_settings(self.run.settings, _morning(self.run, session))

    def ended(self, code: ExitCode, words: str) -> State[Any]:
        """Tell everybody how the work ended, and return the state for Prefect."""
        self._leave(OUTCOMES[code], code, words)
        return state_of(code, words)

    def skipped(self, words: str) -> State[Any]:
        """Tell everybody that there was nothing to do."""
        self._leave("skipped", ExitCode.DONE, words)
        return skipped(words)

    def failed(self, error: BaseException) -> None:
        """Leave word of an error that Prefect shows by itself."""
        code = error.exit_code if isinstance(error, PortfolioError) else ExitCode.FAILED
        self._leave(OUTCOMES[code], code, f"{type(error).__name__}: {error}")

    def _leave(self, outcome: Outcome, code: ExitCode, words: str) -> None:
        if not (self.beside and outcome == "skipped"):
            _write_status(self.run, ended_status(self.begun, outcome, now_utc(), int(code), words))
        _name_run(self.begun.flow, self.run, outcome)
        _tell_systemd(self.run, f"waits for runs; {self.begun.flow} {self.run.moment.session} ended: {outcome}")
        log.info("flow ended", extra={"flow": self.begun.flow, "outcome": outcome, "reason": words})


@contextmanager
def job(flow: str, command: str, as_of: datetime | None = None) -> Iterator[Job]:
    """Do a flow's work inside: what it raises is told as its failure, pinged, and raised on to Prefect."""
    run = enter(command, read_settings(), as_of)
    begun = started_status(flow, run.run_id, run.moment.session, run.started_at, __version__)
    heartbeat = Heartbeat.from_settings(run.settings, _morning(run, run.moment.session))
    this = Job(run, begun, heartbeat, beside=_goes_on(run, flow))
    try:
        if not this.beside:
            _write_status(run, begun)
        _name_run(flow, run, "")
        _tell_systemd(run, f"{flow} {run.moment.session} runs")
        yield this
    except BaseException as error:
        this.heartbeat.fail(f"{flow} {run.moment.session}: {type(error).__name__}")
        this.failed(error)
        raise


def _morning(run: Run, session: date) -> str:
    return f"{run.settings.source} {session}"


def _goes_on(run: Run, flow: str) -> bool:
    """Tell whether another run of the flow says that it runs, and its process lives."""
    status = read_status(status_folder(run.settings.state_dir), flow)
    return status is not None and status.outcome == "running" and not status.interrupted


def _write_status(run: Run, status: Status) -> None:
    try:
        write_status(status_folder(run.settings.state_dir), status)
    except OSError as error:  # a full disk must not hide what the flow itself did
        log.error("status not written", extra={"reason": str(error)})  # noqa: TRY400  # the sentence says it all


def _tell_systemd(run: Run, words: str) -> None:
    """Have `systemctl status` of the slot's worker say what it is doing."""
    slot = f", slot {run.settings.slot}" if run.settings.slot else ""
    notify(f"STATUS=release {__version__}{slot}: {words}")


def _name_run(flow: str, run: Run, outcome: str) -> None:
    """Show session and outcome in Prefect's lists; a name is worth no failure."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=f"{flow} {run.moment.session} {outcome}".strip())
    except (PrefectException, httpx.HTTPError, OSError) as error:
        log.warning("run not renamed", extra={"reason": str(error)})
