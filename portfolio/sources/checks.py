"""The gate every batch passes: believed rows and quarantined rows are parted, each reason is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import QUARANTINE_DTYPES, Batch, empty_frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pandas as pd

    from portfolio.sessions import Moment
    from portfolio.universe import Universe


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch after the checks: believed rows only in its three frames, the others in `quarantined`."""

    source: str
    fetched_at: datetime
    prices: pd.DataFrame
    actions: pd.DataFrame
    macro: pd.DataFrame
    quarantined: pd.DataFrame
    findings: tuple[Finding, ...]


def check_batch(batch: Batch, universe: Universe, known_prices: pd.DataFrame) -> CheckedBatch:  # noqa: ARG001  # thin form
    """Part a batch's believed rows from the doubtful ones."""
    return CheckedBatch(
        batch.source,
        batch.fetched_at,
        batch.prices,
        batch.actions,
        batch.macro,
        empty_frame(QUARANTINE_DTYPES),
        batch.findings,
    )


def check_known(  # noqa: PLR0913  # the contract's shape
    prices: pd.DataFrame,  # noqa: ARG001  # thin form
    macro: pd.DataFrame,  # noqa: ARG001  # thin form
    quarantined: pd.DataFrame,  # noqa: ARG001  # thin form
    universe: Universe,  # noqa: ARG001  # thin form
    moment: Moment,  # noqa: ARG001  # thin form
    macro_wanted: frozenset[str],  # noqa: ARG001  # thin form
) -> tuple[Finding, ...]:
    """Find what is wrong with the series believed at a moment."""
    return ()


def blocking(findings: Iterable[Finding], needed: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings that block the day: errors about what is needed, or about the whole ("")."""
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.ERROR and (finding.subject in needed or not finding.subject)
    )
