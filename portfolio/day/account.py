"""The account: the ledger's entries folded into positions and valued at the newest known closes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from portfolio.errors import LedgerError
from portfolio.ledger.entries import Entry, Kind
from portfolio.ledger.positions import Positions, fold
from portfolio.ledger.splits import unbooked_splits
from portfolio.orders.valuation import Valuation, value_positions
from portfolio.sessions import PARIS
from portfolio.store.ledger import LedgerRow, read_entries
from portfolio.store.prices import Known, read_splits

if TYPE_CHECKING:
    from datetime import date, datetime

    from portfolio.day.known import KnownData
    from portfolio.day.run import Run
    from portfolio.findings import Finding
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Account:
    """Positions, the price each line is valued at (EUR), their value; `entries` counts the ledger's lines.

    `findings` are what the ledger gives rise to: they block the day when they are errors about a line that is held.
    """

    positions: Positions
    prices: dict[str, float]
    valuation: Valuation
    entries: int
    findings: tuple[Finding, ...] = ()


def read_account(store: Store, run: Run, known: KnownData) -> Account:
    """Fold the ledger up to the run's day and value it.

    A line without any known close is valued at its average cost: its missing series blocks the day anyway.
    Raises LedgerError for a line the universe does not have, or a ledger that cannot be true.
    """
    today = paris_day(run.moment.decided_at)
    entries = [entry_of(row) for row in read_entries(store) if row.booked_on <= today]
    positions = fold(entries, run.settings.initial_cash)
    for ticker in positions.quantities:
        if ticker not in run.universe.tickers:
            message = f"The ledger holds {ticker}, which the universe does not have: add it to PORTFOLIO_UNIVERSE_FILE."
            raise LedgerError(message)
    costs = {ticker: float(cost / positions.quantities[ticker]) for ticker, cost in positions.cost_eur.items()}
    prices = costs | known.last_closes(run.universe.tickers)
    splits = read_splits(store, Known(run.moment.decided_at, known.batch_id))
    valuation = value_positions(positions, prices)
    return Account(positions, prices, valuation, len(entries), unbooked_splits(entries, splits))


def paris_day(instant: datetime) -> date:
    """Return the day it is in Paris, by which entries are booked."""
    return instant.astimezone(PARIS).date()


def entry_of(row: LedgerRow) -> Entry:
    """Turn a stored ledger row back into the entry it was."""
    return Entry(
        booked_on=row.booked_on,
        kind=cast("Kind", row.kind),  # stored from an Entry
        ticker=row.ticker,
        quantity=row.quantity,
        price=row.price,
        fee=row.fee if row.fee is not None else Decimal(0),
        amount=row.amount,
        note=row.note,
        entry_id=row.entry_id,
    )


def row_of(entry: Entry, run: Run) -> LedgerRow:
    """Turn an entry into the row that is stored."""
    return LedgerRow(
        entry_id=entry.entry_id,
        booked_on=entry.booked_on,
        kind=entry.kind,
        ticker=entry.ticker,
        quantity=entry.quantity,
        price=entry.price,
        fee=entry.fee,
        amount=entry.amount,
        note=entry.note,
        imported_at=run.started_at,
        run_id=run.run_id,
    )
