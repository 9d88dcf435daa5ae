"""The gate every batch passes: believed rows and quarantined rows are parted, each reason is a finding.

Nothing is dropped but a repeated reading of "no value" (a macro row without a value). Whether a row is believed rests
on what was known at its `available_at` and before; `check_known` then looks at the series as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import (
    ACTION_DTYPES,
    MACRO_DTYPES,
    PRICE_DTYPES,
    QUARANTINE_DTYPES,
    Batch,
    empty_frame,
    ensure_columns,
)
from portfolio.sources.checks_actions import part_actions
from portfolio.sources.checks_closes import part_jumps
from portfolio.sources.checks_restated import part_restated
from portfolio.sources.checks_rows import ACTION_CHECKS, MACRO_CHECKS, PRICE_CHECKS, broken_rules, readable
from portfolio.sources.checks_series import Freshness, check_known, freshness
from portfolio.sources.checks_stuck import part_carried
from portfolio.sources.quarantine import findings_of, quarantine_rows
from portfolio.sources.row_checks import row_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from portfolio.sources.checks_rows import RowCheck
    from portfolio.sources.row_checks import RowContext
    from portfolio.universe import Universe

__all__ = ["CheckedBatch", "Freshness", "blocking", "check_batch", "check_known", "freshness", "nothing_arrived"]

EMPTY_BATCH = "empty-batch"
NO_ACTIONS = empty_frame(ACTION_DTYPES)


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch after the checks: believed rows only in its three frames, the others in `quarantined`.

    A price that waited for the close that stands by it is in both: believed from then on, doubtful before.
    """

    source: str
    fetched_at: datetime
    prices: pd.DataFrame
    actions: pd.DataFrame
    macro: pd.DataFrame
    quarantined: pd.DataFrame
    findings: tuple[Finding, ...]


def check_batch(
    batch: Batch, universe: Universe, known_prices: pd.DataFrame, known_actions: pd.DataFrame = NO_ACTIONS
) -> CheckedBatch:
    """Part a batch's believed rows from the doubtful ones.

    Parameters
    ----------
    batch : Batch
        What a source gave; see its columns. NaN in a price is a finding, NaN in a macro value is no row.
    universe : Universe
        Which symbols and series may come, on which exchange, in which currency, with which leverage.
    known_prices : DataFrame
        Rows already believed (`symbol`, `observed_on`, `close`, `available_at` are read), one for each symbol and day:
        what the batch's rows are compared with. May be without rows. The batch should reach back to the newest of
        them for every symbol, else a doubtful row that it leaves out stays in quarantine.

    known_actions : DataFrame
        Actions already believed (`symbol`, `observed_on`, `kind`, `value` are read): a dividend told again is told from
        one that a batch no longer reaches back to.

    Returns
    -------
    CheckedBatch
        Every row of the batch stands in exactly one of its frames, but a row that waited for the next session's close:
        it is believed with that row's `available_at` and quarantined with its own, without a finding of its doubt.
        Look-ahead rule: rows known later never change whether a row is believed, or in doubt, at an instant.

    Raises
    ------
    SourceError
        A frame lacks a column.
    """
    for frame, dtypes, what in _frames(batch):
        ensure_columns(frame, dtypes, what)
    context = row_context(universe, batch.fetched_at, _first_day(batch, known_prices))
    actions, bad_actions = _part("action", batch.actions, ACTION_DTYPES, ACTION_CHECKS, context)
    macro = batch.macro[batch.macro["value"].notna()]
    macro, bad_macro = _part("macro", macro, MACRO_DTYPES, MACRO_CHECKS, context)
    prices, bad_prices = _part("price", batch.prices, PRICE_DTYPES, PRICE_CHECKS, context)
    actions, contradicted = part_actions(actions, prices, known_prices, known_actions, context)
    prices, carried = part_carried(prices, known_prices)
    prices, restated, corrected = part_restated(prices, known_prices, actions)
    parted = part_jumps(prices, known_prices, actions, context)
    of_prices, of_actions = (bad_prices, carried, restated, parted.doubtful), (bad_actions, contradicted)
    out = pd.concat([*of_prices, *of_actions, bad_macro], ignore_index=True)
    seen = (*findings_of(out, batch.fetched_at), *corrected, *parted.findings)
    findings = (*batch.findings, *seen, *_absences(batch, parted.believed, universe))
    quarantined = pd.concat([out, parted.waited], ignore_index=True)
    return CheckedBatch(batch.source, batch.fetched_at, parted.believed, actions, macro, quarantined, findings)


def blocking(findings: Iterable[Finding], needed: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings that block the day: errors about what is needed, or about the whole ("")."""
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.ERROR and (finding.subject in needed or not finding.subject)
    )


def nothing_arrived(findings: Iterable[Finding]) -> bool:
    """Tell from a checked batch's findings whether it brought no price that is believed: never a success."""
    return any(finding.rule == EMPTY_BATCH for finding in findings)


def _frames(batch: Batch) -> tuple[tuple[pd.DataFrame, Mapping[str, str], str], ...]:
    return (
        (batch.prices, PRICE_DTYPES, "prices"),
        (batch.actions, ACTION_DTYPES, "actions"),
        (batch.macro, MACRO_DTYPES, "macro"),
    )


def _first_day(batch: Batch, known_prices: pd.DataFrame) -> pd.Timestamp:
    frames = (batch.prices, batch.actions, batch.macro, known_prices)
    days = [frame["observed_on"].min() for frame in frames if not frame["observed_on"].isna().all()]
    return min(days, default=pd.Timestamp(batch.fetched_at.date()))


def _part(
    kind: str, frame: pd.DataFrame, dtypes: Mapping[str, str], checks: Sequence[RowCheck], context: RowContext
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part a frame's rows into those that pass every row rule and quarantine records of the others."""
    if frame.empty:
        return empty_frame(dtypes), empty_frame(QUARANTINE_DTYPES)
    rows = readable(frame, dtypes)
    key = [column for column in dtypes if column in {"symbol", "series", "observed_on", "kind"}]
    broken = broken_rules(rows, checks, context, key)
    bad = np.array([rule is not None for rule in broken], dtype=bool)
    original = frame[list(dtypes)].reset_index(drop=True)
    records = quarantine_rows(kind, original[bad], [rule for rule in broken if rule is not None])
    return rows[~bad][list(dtypes)].reset_index(drop=True), records


def _absences(batch: Batch, believed: pd.DataFrame, universe: Universe) -> list[Finding]:
    """Find symbols that the batch brought nothing for; an empty answer is never a success."""
    if believed.empty:
        brought = f"{len(batch.prices)} prices of which none is believed" if len(batch.prices) else "no price at all"
        message = f"The {batch.source} source brought {brought}: see its findings and the quarantine, try again later."
        return [Finding(Severity.ERROR, EMPTY_BATCH, "", message)]
    seen = {*batch.prices["symbol"], *(finding.subject for finding in batch.findings)}
    return [
        Finding(Severity.ERROR, "no-rows", symbol, f"The {batch.source} source brought no row of {symbol}: try again.")
        for symbol in universe.exchanges
        if symbol not in seen
    ]
