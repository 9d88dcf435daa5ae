"""Ledger entries as they were imported, append-only; an entry is known by its id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003  # dataclass tools read the annotations at run time
from decimal import Decimal  # noqa: TC003  # as above
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.store.rows import parameters, records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portfolio.store.connection import Store

_DECIMALS = {"price": 6, "fee": 2, "amount": 2}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One entry: `price` to six decimals, `fee` and `amount` in EUR to the cent, quantities whole."""

    entry_id: str
    booked_on: date
    kind: str
    ticker: str | None
    quantity: int | None
    price: Decimal | None
    fee: Decimal | None
    amount: Decimal | None
    note: str
    imported_at: datetime
    run_id: str


_KNOWN = "SELECT entry_id FROM raw.ledger_entries"
_NEXT_SEQ = "SELECT coalesce(max(seq), 0) + 1 FROM raw.ledger_entries"
_INSERT = """
INSERT INTO raw.ledger_entries VALUES (
    $seq, $entry_id, $booked_on, $kind, $ticker, $quantity, $price, $fee, $amount, $note, $imported_at, $run_id
)
"""
_READ = """
SELECT entry_id, booked_on, kind, ticker, quantity, price, fee, amount, note, imported_at, run_id
FROM raw.ledger_entries ORDER BY booked_on, seq
"""


def append_entries(store: Store, entries: Iterable[LedgerRow]) -> int:
    """Append the entries whose id is not known yet, in the order given, and return how many those were."""
    given = list(entries)
    for entry in given:
        _ensure_exact(entry)
    with store.transaction():
        known = {row[0] for row in store.connection.execute(_KNOWN).fetchall()}
        fresh = [entry for entry in {entry.entry_id: entry for entry in given}.values() if entry.entry_id not in known]
        seq = store.connection.execute(_NEXT_SEQ).fetchall()[0][0]
        for place, entry in enumerate(fresh, start=seq):
            store.connection.execute(_INSERT, parameters(entry) | {"seq": place})
    return len(fresh)


def read_entries(store: Store) -> list[LedgerRow]:
    """Read all entries by day booked, within a day in the order they were imported."""
    return records(store.connection.execute(_READ), LedgerRow)


def _ensure_exact(entry: LedgerRow) -> None:
    """Refuse an amount that the table would have to round: money is kept exactly or not at all."""
    for name, decimals in _DECIMALS.items():
        value: Decimal | None = getattr(entry, name)
        if value is not None and value != round(value, decimals):
            message = (
                f"Ledger entry {entry.entry_id} has {name} {value}, which is kept to {decimals} decimals and would be "
                "rounded: give it with no more than those."
            )
            raise StoreError(message)
