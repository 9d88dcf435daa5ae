"""The ledger in and out of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.day.account import entry_of, paris_day, row_of
from portfolio.errors import LedgerError
from portfolio.ledger.csv_format import read_entries_csv
from portfolio.ledger.entries import absent_entries, described, new_entries
from portfolio.ledger.positions import check_ledger
from portfolio.store.ledger import append_entries, read_entries

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.day.run import Run
    from portfolio.ledger.entries import Entry
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Imported:
    """How many entries a file had, and how many of them the ledger did not have yet.

    `absent` are booked entries, none newer than the file's newest, that the file doesn't have: a mended or deleted line
    stays booked, and counts.
    """

    read: int
    new: int
    absent: tuple[Entry, ...] = ()

    @property
    def told_absent(self) -> str:
        """A sentence about the absent entries; empty when there are none."""
        if not self.absent:
            return ""
        count, first = len(self.absent), described(self.absent[0])
        if count == 1:
            return f"1 booked entry is not in this file and still counts: {first}."
        return f"{count} booked entries are not in this file and still count; the first: {first}."


def import_ledger(store: Store, run: Run, path: Path) -> Imported:
    """Add a file's entries to the ledger, all or none.

    Raises LedgerError when the file breaks a rule, or the ledger with it could not be true.
    """
    imported = read_entries_csv(path, run.universe.tickers, paris_day(run.moment.decided_at))
    known = stored_entries(store)
    fresh = new_entries(known, imported)
    counts = Imported(len(imported), len(fresh), absent_entries(known, imported))
    findings = check_ledger((*known, *fresh))
    if findings:
        told = " ".join((*(finding.message for finding in findings[:10]), counts.told_absent)).strip()
        message = f"{path} was not imported, the ledger could not be true with it. {told}"
        raise LedgerError(message)
    append_entries(store, [row_of(entry, run) for entry in fresh])
    return counts


def stored_entries(store: Store) -> tuple[Entry, ...]:
    """Read the ledger's entries, oldest first."""
    return tuple(entry_of(row) for row in read_entries(store))
