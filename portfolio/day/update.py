"""The update stage: fetch, check, append. What is doubtful goes to quarantine, what is right is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from portfolio.errors import UsageError
from portfolio.findings import Severity
from portfolio.sessions import calendar_horizon, calendar_rows
from portfolio.sources.checks import CheckedBatch, check_batch
from portfolio.sources.sample import fetch_sample
from portfolio.store.calendar import write_sessions
from portfolio.store.journal import append_findings
from portfolio.store.prices import BatchReceipt, Known, append_batch, newest_batch, read_prices

if TYPE_CHECKING:
    from datetime import date

    from portfolio.day.run import Run
    from portfolio.findings import Finding
    from portfolio.sources.batch import Batch
    from portfolio.store.connection import Store

BATCH_RULES = frozenset({"empty-batch", "no-rows", "restated-history"})
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
        return tuple(replace(finding, severity=Severity.WARNING) for finding in whole)


def fetch(run: Run, since: date | None = None) -> Batch:
    """Ask the run's source for prices and macro values.

    Raises SourceError when the source cannot give anything, UsageError for a source this release does not have.
    """
    if run.settings.source == "sample":
        return fetch_sample(run.universe, run.moment, since)
    message = "The live source is not part of this release: use --source sample, which needs no key and no network."
    raise UsageError(message)


def store_batch(store: Store, run: Run, batch: Batch) -> Update:
    """Check a batch against what the store believes, and append it: believed rows, quarantine and findings."""
    return store_checked(store, run, checked_batch(store, run, batch))


def checked_batch(store: Store, run: Run, batch: Batch) -> CheckedBatch:
    """Check a batch against what the store believes."""
    known = read_prices(store, Known(run.moment.decided_at + FAR_FUTURE, newest_batch(store)))
    return check_batch(batch, run.universe, known)


def store_checked(store: Store, run: Run, checked: CheckedBatch) -> Update:
    """Append a checked batch, its findings, and the calendars it was checked against."""
    receipt = append_batch(store, checked, run.run_id)
    append_findings(store, run.run_id, checked.findings)
    write_sessions(store, calendar_rows(calendar_horizon(run.moment.decided_at)))
    return Update(checked, receipt)
