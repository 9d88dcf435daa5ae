"""The whole day: update, signal, orders, report, publish. Each stage stands on what the one before it stored."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portfolio import __version__
from portfolio.clock import now_utc
from portfolio.day.account import read_account
from portfolio.day.orders import Orders, log_orders, plan_session, why_held_back
from portfolio.day.page import REPLAY_DIFFERS, page_data
from portfolio.day.signal import Signal, decide_and_log, read_known
from portfolio.day.update import Update, fetch, store_batch
from portfolio.errors import ExitCode, PortfolioError, SourceError, StoreError
from portfolio.findings import Finding, Severity
from portfolio.report.page import render_page, write_page
from portfolio.sources.checks import nothing_arrived
from portfolio.store.connection import open_writer
from portfolio.store.journal import RunEnd, RunStart, append_findings, end_run, start_run
from portfolio.store.migrate import create_store
from portfolio.store.prices import newest_batch
from portfolio.store.publish import publish
from portfolio.store.signals import read_signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from portfolio.day.run import Run
    from portfolio.sources.batch import Batch
    from portfolio.status import Outcome
    from portfolio.store.connection import Store

log = logging.getLogger(__name__)

OUTCOMES: Mapping[ExitCode, Outcome] = {
    ExitCode.DONE: "done",
    ExitCode.HOLD: "hold",
    ExitCode.REFUSED: "refused",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "failed",
    ExitCode.BUSY: "busy",
}


@dataclass(slots=True)
class Ending:
    """What the journal will say of a run that ends well; stages fill it in."""

    exit_code: ExitCode = ExitCode.DONE
    rows_in: int = 0
    rows_out: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """The day's answer: the signal, the plan and where the page is; `exit_code` says HOLD or refused."""

    signal: Signal
    orders: Orders
    page: Path
    exit_code: ExitCode


@contextmanager
def writing(run: Run, wait_s: float = 0.0) -> Iterator[tuple[Store, Ending]]:
    """Open the run's store as the only writer, journal start and end, and publish the read copy afterwards.

    A store that does not exist yet is made. A run that raises is journaled as failed, and that is published too: what
    is committed is whole, and the health checks read the published copy.
    """
    settings = run.settings
    if create_store(settings.store_path, settings.source, wait_s):
        log.info("store created", extra={"path": str(settings.store_path)})
    with open_writer(settings.store_path, settings.source, wait_s) as store:
        start = RunStart(
            run.run_id, run.command, run.moment.session, run.started_at, __version__, settings.source, os.getpid()
        )
        start_run(store, start)
        ending = Ending()
        try:
            yield store, ending
        except BaseException as error:
            _end(store, run, _failed(error))
            publish(store)
            raise
        _end(store, run, ending)
        publish(store)


def run_day(run: Run, wait_s: float = 0.0, since: date | None = None) -> Day:
    """Do the whole day for the run's instant and return its answer."""
    batch, unfetched = fetched(run, since)
    with writing(run, wait_s) as (store, ending):
        append_findings(store, run.run_id, unfetched)
        update = update_stage(store, run, batch, ending) if batch is not None else None
        return decision_stages(store, run, ending, (*unfetched, *(update.noticed if update else ())))


def decision_stages(store: Store, run: Run, ending: Ending, noticed: tuple[Finding, ...]) -> Day:
    """Decide the session, plan its orders and write the page."""
    signal = signal_stage(store, run, ending, noticed)
    orders = orders_stage(store, run, signal, ending)
    page = page_stage(store, run, ending) if signal.row else run.page_path
    return Day(signal, orders, page, ending.exit_code)


def update_stage(store: Store, run: Run, batch: Batch, ending: Ending) -> Update:
    """Check and append a batch; one that brings nothing has failed, until a later stage decides the day."""
    update = store_batch(store, run, batch)
    receipt = update.receipt
    ending.rows_in, ending.rows_out = receipt.rows_in, receipt.rows_new
    ending.detail["update"] = {"batch_id": receipt.batch_id, "quarantined": receipt.rows_quarantined}
    if nothing_arrived(update.checked.findings):
        ending.exit_code = ExitCode.FAILED
        log.error("nothing arrived that is believed")
    log.info(
        "prices and macro values stored",
        extra={"rows_in": receipt.rows_in, "rows_new": receipt.rows_new, "quarantined": receipt.rows_quarantined},
    )
    return update


def signal_stage(store: Store, run: Run, ending: Ending, noticed: tuple[Finding, ...] = ()) -> Signal:
    """Decide and log the session; `noticed` are findings of earlier stages that the answer should show."""
    signal = decide_and_log(store, run, noticed)
    answer = signal.answer
    ending.exit_code = ExitCode.HOLD if answer["decision"] == "HOLD" else ExitCode.DONE
    if answer["decision"] == "HOLD":
        log.warning("the day is blocked: HOLD", extra={"reasons": answer["reasons"]})
    revision = signal.row.revision if signal.row else None  # none when the session was not to be logged
    ending.detail["signal"] = {
        "decision": answer["decision"],
        "model_id": answer["model_id"],
        "revision": revision,
    }
    log.info("decided", extra={"session": answer["session"], "decision": answer["decision"]})
    return signal


def orders_stage(store: Store, run: Run, signal: Signal, ending: Ending) -> Orders:
    """Plan and log the session's orders."""
    orders = plan_session(run, signal.answer, signal.account)
    if orders.plan is None:
        ending.exit_code = ExitCode.REFUSED
    if signal.row is not None:
        log_orders(store, run, orders, signal.row)
    ending.detail["orders"] = len(orders.plan.orders) if orders.plan else orders.refusal
    log.info("orders planned", extra={"orders": ending.detail["orders"]})
    return orders


def plan_logged_stage(store: Store, run: Run, ending: Ending) -> tuple[date, Orders]:
    """Plan and log orders from the newest logged decision, today's ledger and what is known now.

    While its session is running the decision still stands. Raises StoreError when neither that session nor the next
    one has a decision.
    """
    row = read_signal(store)
    if row is None or (row.session != run.moment.session and row.as_of != run.moment.as_of):
        wanted = run.moment.session
        message = f"Session {wanted} has no decision yet: run `portfolio signal` (or `portfolio run`) first."
        raise StoreError(message)
    known, answer = read_known(store, run.moment.decided_at, newest_batch(store)), json.loads(row.answer)
    account = read_account(store, run, known)
    orders = plan_session(run, answer, account, why_held_back(run, row, answer, known, account))
    if row.decision == "HOLD" or orders.held_back:
        ending.exit_code = ExitCode.HOLD
    if orders.plan is None:
        ending.exit_code = ExitCode.REFUSED
    log_orders(store, run, orders, row)
    return row.session, orders


def page_stage(store: Store, run: Run, ending: Ending) -> Path:
    """Write the page of the newest logged decision; a decision that cannot be reproduced fails the run."""
    data = page_data(store, run)
    write_page(run.page_path, render_page(data))
    log.info("page written", extra={"path": str(run.page_path)})
    if any(finding.rule == REPLAY_DIFFERS for finding in data.findings):
        ending.exit_code = ExitCode.FAILED
        ending.detail["page"] = REPLAY_DIFFERS
        log.error("the decision taken again differs from the log: do not act on it")
    return run.page_path


def fetched(run: Run, since: date | None = None) -> tuple[Batch | None, tuple[Finding, ...]]:
    """Fetch, or say why not: the day goes on without, and stale data then holds it."""
    try:
        return fetch(run, since), ()
    except SourceError as error:
        return None, (not_fetched(run, error),)


def not_fetched(run: Run, error: SourceError) -> Finding:
    """Tell that nothing could be fetched; whether the day is blocked by it, staleness decides."""
    log.warning("nothing fetched", extra={"reason": str(error)})
    return Finding(Severity.WARNING, "fetch-failed", "", str(error), run.moment.session)


def _failed(error: BaseException) -> Ending:
    code = error.exit_code if isinstance(error, PortfolioError) else ExitCode.FAILED
    return Ending(exit_code=code, detail={"error": f"{type(error).__name__}: {error}"})


def _end(store: Store, run: Run, ending: Ending) -> None:
    end_run(
        store,
        RunEnd(
            run.run_id,
            now_utc(),
            OUTCOMES[ending.exit_code],
            int(ending.exit_code),
            ending.rows_in,
            ending.rows_out,
            json.dumps(ending.detail, sort_keys=True),
        ),
    )
