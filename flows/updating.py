"""What `data-update` does, apart from its definition, which a release registers without all this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import show_update
from flows.dead_runs import close_dead_runs, older_run_in_hand
from flows.job import Job, job
from flows.names import DATA_UPDATE, SIGNAL_GENERATION
from flows.starting import start_signal
from flows.turn import LOCK_WAIT_S, writers_turn
from portfolio.clock import now_utc
from portfolio.day.due import Due, is_session_day, newest_decision, sessions_due
from portfolio.day.morning import store_fetched
from portfolio.day.stages import not_fetched
from portfolio.day.update import Update, fetch
from portfolio.errors import ExitCode, SourceError
from portfolio.status import read_status, status_folder

if TYPE_CHECKING:
    from datetime import datetime

    from prefect.client.schemas.objects import State

    from portfolio.day.run import Run
    from portfolio.findings import Finding
    from portfolio.health.heartbeat import Heartbeat
    from portfolio.sources.batch import Batch
    from portfolio.store.signals import SignalRow

RETRY_AFTER = (30, 150)  # in units of PORTFOLIO_FETCH_BACKOFF_S: a minute and five by default


def bring_up_to_date(as_of: datetime | None, *, only_if_undecided: bool) -> State[Any]:
    """Be the flow: look whether there is something to do, and do it."""
    with job(DATA_UPDATE, "update", as_of) as this:
        close_dead_runs(slot=this.run.settings.slot)
        if older := older_run_in_hand():
            return this.skipped(f"{older} is at it")
        newest = newest_decision(this.run)
        due = due_now(this.run, newest, only_if_undecided=only_if_undecided)
        if not due and newest is not None:
            if not is_session_day(this.run.moment):
                this.heartbeat.success("no session today")
                return this.skipped(f"no session today, the next is {this.run.moment.session}")
            if only_if_undecided:  # no ping: how the first try went, it has told itself
                return this.skipped(_nothing_to_try(this.run, newest))
        heartbeat = this.heartbeat_of(due[-1].session if due else this.run.moment.session)
        heartbeat.start()
        return ended(this, heartbeat, *updated(this.run, only_if_undecided=only_if_undecided))


def updated(run: Run, *, only_if_undecided: bool) -> tuple[ExitCode, str, tuple[Due, ...]]:
    """Fetch and store, and start the decisions due, whatever became of it: on stale data they are HOLD with reasons."""
    update, code, unfetched, noticed = None, ExitCode.FAILED, (), ()
    try:
        batch, unfetched = fetched(run)
        update, code = store_prices(run, batch, unfetched)
        noticed = update.noticed if update else ()
    finally:
        # Asked again: the published copy is new, and the one before may not have opened.
        due = due_now(run, newest_decision(run), only_if_undecided=only_if_undecided)
        start_signal(due, (*unfetched, *noticed), (now_utc() - run.started_at).total_seconds())
    show_update(update, unfetched)
    return code, _in_words(update, unfetched, due), due


def due_now(run: Run, newest: SignalRow | None, *, only_if_undecided: bool) -> tuple[Due, ...]:
    """List the sessions to decide; an empty log has none to make up, but the history is fetched on any day."""
    due = sessions_due(run.moment, newest, run.settings.day_at)
    decided = newest is not None and newest.session == run.moment.session and newest.decision == "TARGET"
    return () if only_if_undecided and decided and not _went_wrong(run) else due


def _went_wrong(run: Run) -> bool:
    """Tell whether the flow that decided this session did not leave all that it should have."""
    last = read_status(status_folder(run.settings.state_dir), SIGNAL_GENERATION)
    return last is not None and last.session == run.moment.session and last.outcome not in {"done", "hold"}


def ended(this: Job, heartbeat: Heartbeat, code: ExitCode, words: str, due: tuple[Due, ...]) -> State[Any]:
    """End a run; the decisions it started ping by themselves."""
    if not due:
        tell = heartbeat.success if code is ExitCode.DONE else heartbeat.fail
        tell("prices and macro values only, no decision was due")
    return this.ended(code, words)


def fetched(run: Run) -> tuple[Batch | None, tuple[Finding, ...]]:
    """Fetch, or say why no price came after all tries: the decision is then taken on what there is, and may HOLD."""
    backoff = run.settings.fetch_backoff_s
    try:
        return fetch_prices.with_options(retry_delay_seconds=[units * backoff for units in RETRY_AFTER])(run), ()
    except NoPricesError as error:
        return error.batch, ()
    except SourceError as error:
        return None, (not_fetched(run, error),)


class NoPricesError(SourceError):
    """A fetch that brought macro values or findings, and no price of any line."""

    def __init__(self, batch: Batch) -> None:
        super().__init__("no price of any line came")
        self.batch = batch


@task(name="fetch", retries=len(RETRY_AFTER), retry_jitter_factor=0.5, cache_policy=NO_CACHE, persist_result=False)
def fetch_prices(run: Run) -> Batch:
    """Ask the outside services; each request has its own tries, this is for services that are down."""
    batch = fetch(run)
    if batch.prices.empty:
        raise NoPricesError(batch)
    return batch


@task(name="store", cache_policy=NO_CACHE, persist_result=False)
def store_prices(run: Run, batch: Batch | None, unfetched: tuple[Finding, ...]) -> tuple[Update | None, ExitCode]:
    """Check and append what came, as the only writer."""
    with writers_turn():
        return store_fetched(run, batch, unfetched, LOCK_WAIT_S)


def _nothing_to_try(run: Run, newest: SignalRow) -> str:
    if newest.session == run.moment.session:
        return f"{newest.session} has its target"
    return f"too late to try again: {newest.session} has opened, its decision is {newest.decision}"


def _in_words(update: Update | None, unfetched: tuple[Finding, ...], due: tuple[Due, ...]) -> str:
    started = ", ".join(str(item.session) for item in due) or "none"
    if update is None:
        what = unfetched[0].message
    else:
        receipt = update.receipt
        what = f"{receipt.rows_in} rows believed, {receipt.rows_new} new, {receipt.rows_quarantined} quarantined"
    return f"{what}; decisions started: {started}"
