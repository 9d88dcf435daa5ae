"""Ledger entries: one line of what happened, in Decimal, with an id that makes importing twice harmless."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Literal, get_args

from portfolio.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

Kind = Literal["deposit", "withdrawal", "buy", "sell", "dividend", "fee", "split"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
_REFERENCE = "reference:"  # begins the id of an entry that its file gave a name


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; money is EUR and never negative, the kind says which way it went.

    `amount` is what moved: for a deposit, withdrawal, dividend or fee it is the entry; for a buy or sell it is
    the broker's total with the fee (None: quantity x price, rounded to the cent, with the fee). The `quantity` of a
    split is what the line holds after it; no money moves.
    """

    booked_on: date
    kind: Kind
    ticker: str | None = None
    quantity: int | None = None
    price: Decimal | None = None
    fee: Decimal = ZERO
    amount: Decimal | None = None
    note: str = ""
    entry_id: str = ""

    @property
    def reference(self) -> str | None:
        """The broker's reference that names the entry, None when its content does."""
        return self.entry_id.removeprefix(_REFERENCE) if self.entry_id.startswith(_REFERENCE) else None

    @property
    def traded_eur(self) -> Decimal:
        """Quantity x price of a buy or sell, rounded half up to the cent, without the fee."""
        if self.quantity is None or self.price is None:
            return ZERO
        return (self.quantity * self.price).quantize(CENT, ROUND_HALF_UP)

    @property
    def cash_flow_eur(self) -> Decimal:
        """What the entry adds to cash; negative when it takes."""
        if self.kind == "buy":
            return -(self.amount if self.amount is not None else self.traded_eur + self.fee)
        if self.kind == "sell":
            return self.amount if self.amount is not None else self.traded_eur - self.fee
        if self.amount is None:
            return ZERO
        return self.amount if self.kind in ("deposit", "dividend") else -self.amount


def id_of_reference(reference: str) -> str:
    """Return the id of an entry that carries a broker's reference."""
    return f"{_REFERENCE}{reference}"


def with_ids(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Give each entry without a reference its id: a hash of its content and of how often that came before.

    So the same file, or a longer one that contains its lines, gives the same ids again, while two identical
    buys on one day stay two. Content is what happened, not how it was written: the note is left out, and a trade
    with the broker's total is the one without when the same cash moved.
    """
    seen: Counter[str] = Counter()
    named = []
    for entry in entries:
        if entry.reference is not None:
            named.append(entry)
            continue
        content = _content(entry)
        seen[content] += 1
        key = f"{content}|{seen[content]}"
        named.append(replace(entry, entry_id=hashlib.sha256(key.encode()).hexdigest()))
    return tuple(named)


def new_entries(known: Iterable[Entry], imported: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the imported entries that the ledger doesn't have yet.

    Raises LedgerError when a reference is known with another content: the ledger is append-only, so a changed
    line is never taken silently for the old one.
    """
    by_id = {entry.entry_id: entry for entry in with_ids(known)}
    for entry in imported:
        old = by_id.get(entry.entry_id)
        if old is not None and _content(old) != _content(entry):
            message = (
                f"Ledger reference {entry.reference!r} of {entry.booked_on} is already known as {_content(old)!r} and "
                f"now reads {_content(entry)!r}: a booked line never changes. Book a correction under a new reference."
            )
            raise LedgerError(message)
    return tuple(entry for entry in imported if entry.entry_id not in by_id)


def absent_entries(known: Iterable[Entry], imported: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the known entries that the imported ones lack, up to the newest day of these: they count all the same."""
    if not imported:
        return ()
    newest = max(entry.booked_on for entry in imported)
    ids = {entry.entry_id for entry in imported}
    return tuple(entry for entry in with_ids(known) if entry.booked_on <= newest and entry.entry_id not in ids)


def described(entry: Entry) -> str:
    """Say an entry in a few words: 2018-01-03 buy 100 WPEA.PA at 5.12."""
    words = [entry.booked_on.isoformat(), entry.kind]
    if entry.quantity is not None:
        words.append(str(entry.quantity))
    if entry.ticker is not None:
        words.append(entry.ticker)
    if entry.price is not None:
        words.append(f"at {plain(entry.price)}")
    elif entry.amount is not None:
        words.append(f"{entry.amount:.2f} EUR")
    return " ".join(words)


def plain(value: Decimal) -> str:
    """Write a Decimal without exponent and needless zeros: 100.50 -> 100.5, 1E+2 -> 100."""
    return f"{value.normalize():f}"


def _content(entry: Entry) -> str:
    moved = None if entry.kind == "split" else abs(entry.cash_flow_eur)
    numbers = (entry.price, entry.fee, moved)
    shown = ("" if number is None else plain(number) for number in numbers)
    quantity = "" if entry.quantity is None else str(entry.quantity)
    return "|".join((entry.booked_on.isoformat(), entry.kind, entry.ticker or "", quantity, *shown))
