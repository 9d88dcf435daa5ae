"""The update stage: fetch, check, append. What is doubtful goes to quarantine, what is right is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.findings import Severity
from portfolio.sessions import calendar_horizon, calendar_rows
from portfolio.sources.checks import CheckedBatch, check_batch
from portfolio.sources.live_wire import Patience, Reach, Wire
from portfolio.sources.sample import fetch_sample
from portfolio.store.calendar import write_sessions
from portfolio.store.connection import open_reader, published_path
from portfolio.store.journal import append_findings
from portfolio.store.newest import newest_macro_days, newest_price_days
from portfolio.store.prices import BatchReceipt, Known, append_batch, newest_batch, read_actions, read_prices

if TYPE_CHECKING:
    from datetime import date

    from portfolio.day.run import Run
    from portfolio.findings import Finding
    from portfolio.settings import Settings
    from portfolio.sources.batch import Batch
    from portfolio.sources.live_wire import Progress
    from portfolio.store.connection import Store

log = logging.getLogger(__name__)

# Of the batch as a whole, of a series that could not be had, and of actions, which no later check looks at.
BATCH_RULES = frozenset(
    {
        "dividend-too-large",
        "dividend-twice",
        "empty-batch",
        "fetch-failed",
        "key-refused",
        "no-fred-key",
        "no-rows",
        "rate-limited",
        "request-refused",
        "restated-history",
        "split-contradicted",
        "unknown-to-provider",
        "wrong-time-zone",
    }
)
# Checks look back over the rows already believed; every batch so far counts, whatever its rows' own instants.
FAR_FUTURE = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Update:
    """What an update brought."""

    checked: CheckedBatch
    receipt: BatchReceipt

    @property
    def noticed(self) -> tuple[Finding, ...]:
        """What the day's answer should show of the batch as a whole; doubts about rows come back from quarantine."""
        whole = (finding for finding in self.checked.findings if finding.rule in BATCH_RULES)
        # Whether the day is blocked is for the series that are stale by it, not for the batch.
        return tuple(
            replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding
            for finding in whole
        )


def fetch(run: Run, since: date | None = None) -> Batch:
    """Ask the run's source for prices and macro values; no lock is held meanwhile.

    Raises SourceError when the source cannot give anything.
    """
    if run.settings.source == "sample":
        return fetch_sample(run.universe, run.moment, since)
    from portfolio.sources.live import fetch_live  # noqa: PLC0415  # yfinance takes a second that the sample needn't

    return fetch_live(run.universe, run.moment, _reach(run, since), _wire(run.settings), _log_progress)


def _reach(run: Run, since: date | None) -> Reach:
    """Read from the published copy what is believed.

    Nothing when there is none yet, or none that can be read: asking for the whole history is slow but right, the gate
    compares it with the store itself, and the copy is made anew after it.
    """
    settings = run.settings
    if not published_path(settings.store_path).exists():
        return Reach({}, {}, since)
    try:
        with open_reader(settings.store_path, settings.source) as store:
            return Reach(newest_price_days(store), newest_macro_days(store), since)
    except StoreError as error:
        log.warning("published copy not readable: the whole history is asked for", extra={"reason": str(error)})
        return Reach({}, {}, since)


def _wire(settings: Settings) -> Wire:
    key = settings.fred_api_key
    return Wire(
        yahoo_url=settings.yahoo_url,
        fred_url=settings.fred_url,
        fred_key=key.get_secret_value() if key else None,
        patience=Patience(settings.fetch_timeout_s, settings.fetch_attempts, settings.fetch_backoff_s),
        cache_dir=settings.cache_dir,
    )


def _log_progress(progress: Progress) -> None:
    fields = {"subject": progress.subject, "rows": progress.rows, "seconds": round(progress.seconds, 2)}
    if progress.fault:
        log.warning("not fetched", extra=fields | {"fault": progress.fault})
    else:
        log.info("fetched", extra=fields)


def store_batch(store: Store, run: Run, batch: Batch) -> Update:
    """Check a batch against what the store believes, and append it: believed rows, quarantine and findings."""
    return store_checked(store, run, checked_batch(store, run, batch))


def checked_batch(store: Store, run: Run, batch: Batch) -> CheckedBatch:
    """Check a batch against what the store believes."""
    known = Known(run.moment.decided_at + FAR_FUTURE, newest_batch(store))
    return check_batch(batch, run.universe, read_prices(store, known), read_actions(store, known))


def store_checked(store: Store, run: Run, checked: CheckedBatch) -> Update:
    """Append a checked batch, its findings, and the calendars it was checked against."""
    receipt = append_batch(store, checked, run.run_id)
    append_findings(store, run.run_id, checked.findings)
    write_sessions(store, calendar_rows(calendar_horizon(run.moment.decided_at)))
    return Update(checked, receipt)
