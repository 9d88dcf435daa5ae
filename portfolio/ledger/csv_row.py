"""One row of the ledger's CSV file: cells in, an entry or the rules it breaks out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from portfolio.ledger.entries import CENT, KINDS, ZERO, Entry, id_of_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS = ("date", "kind", "ticker", "quantity", "price_eur", "fee_eur", "amount_eur", "note")
OPTIONAL_COLUMN = "reference"

EARLIEST = date(1992, 7, 16)  # the law that made the PEA: anything before is a typing error
MAX_TEXT = 200
MAX_QUANTITY = Decimal(999_999_999)
MAX_EUR = Decimal(999_999_999_999)  # what the store's columns hold, whole; far more than any account
SEEN_CHARACTERS = 60

# Which cells a kind needs and which it may have; the others stay empty. Date, kind, note and reference: every kind.
_TRADE = (("ticker", "quantity", "price_eur"), ("fee_eur", "amount_eur"))
_NEEDS_AND_MAY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "deposit": (("amount_eur",), ()),
    "withdrawal": (("amount_eur",), ()),
    "buy": _TRADE,
    "sell": _TRADE,
    "dividend": (("ticker", "amount_eur"), ()),
    "fee": (("amount_eur",), ("ticker",)),
    "split": (("ticker", "quantity"), ()),
}
_GOVERNED = ("ticker", "quantity", "price_eur", "fee_eur", "amount_eur")


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a cell breaks."""

    line: int
    column: str
    rule: str
    seen: str

    def __str__(self) -> str:
        """Say where, the rule and what was seen."""
        shown = self.seen if len(self.seen) <= SEEN_CHARACTERS else f"{self.seen[:SEEN_CHARACTERS]}..."
        return f"line {self.line}, column {self.column}: {self.rule}; seen {shown!r}"


@dataclass(frozen=True, slots=True)
class RowRules:
    """What a row is checked against."""

    tickers: frozenset[str]
    today: date


def parse_row(line: int, header: list[str], row: list[str], rules: RowRules) -> tuple[Entry | None, list[Problem]]:
    """Return the entry, or None and the rules that the row breaks."""
    if len(row) != len(header):
        rule = f"a row must have {len(header)} columns like the header (quote a note that contains a comma)"
        return None, [Problem(line, "(all)", rule, f"{len(row)} columns: {','.join(row)}")]
    cells = dict(zip(header, row, strict=True))
    values: dict[str, Any] = {}
    problems = []
    for column, parse in _parsers(rules).items():
        try:
            values[column] = parse(cells.get(column, ""))
        except ValueError as broken:
            problems.append(Problem(line, column, str(broken), cells[column]))
    problems += [Problem(line, column, rule, cells[column]) for column, rule in _misfilled(values.get("kind"), cells)]
    if problems:
        return None, problems
    entry = _entry(values)
    rule = _wrong_total(entry)
    return (None, [Problem(line, "amount_eur", rule, cells["amount_eur"])]) if rule else (entry, [])


def _parsers(rules: RowRules) -> dict[str, Callable[[str], object]]:
    return {
        "date": lambda cell: _day(cell, rules.today),
        "kind": _kind,
        "ticker": lambda cell: _ticker(cell, rules.tickers),
        "quantity": _quantity,
        "price_eur": lambda cell: _decimal(cell, places=6, at_least="0.000001"),
        "fee_eur": lambda cell: _decimal(cell, places=2, at_least="0"),
        "amount_eur": lambda cell: _decimal(cell, places=2, at_least="0.01"),
        "note": _text,
        OPTIONAL_COLUMN: _text,
    }


def _entry(values: dict[str, Any]) -> Entry:
    return Entry(
        booked_on=values["date"],
        kind=values["kind"],
        ticker=values["ticker"],
        quantity=values["quantity"],
        price=values["price_eur"],
        fee=values["fee_eur"] or ZERO,
        amount=values["amount_eur"],
        note=values["note"],
        entry_id=id_of_reference(values[OPTIONAL_COLUMN]) if values[OPTIONAL_COLUMN] else "",
    )


def _misfilled(kind: str | None, cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give the columns that the kind needs and lacks, or has and mustn't."""
    if kind is None:
        return
    needs, may = _NEEDS_AND_MAY[kind]
    for column in _GOVERNED:
        if column in needs and not cells[column]:
            yield column, f"a {kind} needs it"
        elif column not in (*needs, *may) and cells[column]:
            yield column, f"must be empty for a {kind}"


def _wrong_total(entry: Entry) -> str | None:
    """Compare a trade's total with quantity x price and fee: brokers round, by a cent at most."""
    if entry.kind not in ("buy", "sell") or entry.amount is None:
        return None
    computed = entry.traded_eur + entry.fee if entry.kind == "buy" else entry.traded_eur - entry.fee
    if abs(entry.amount - computed) <= CENT:
        return None
    sign = "+" if entry.kind == "buy" else "-"
    return f"must be quantity x price {sign} fee, {computed}, within a cent (or leave it empty)"


def _day(cell: str, today: date) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell, re.ASCII):
        message = "must be a day written YYYY-MM-DD, 2024-03-28 say"
        raise ValueError(message)
    try:
        day = date.fromisoformat(cell)
    except ValueError as error:
        message = "is not a day of the calendar; write YYYY-MM-DD"
        raise ValueError(message) from error
    if day < EARLIEST:
        message = f"must be from {EARLIEST} on (no PEA before)"
        raise ValueError(message)
    if day > today:
        message = f"nothing is booked after {today}, where this source's clock stands"
        raise ValueError(message)
    return day


def _kind(cell: str) -> str:
    if cell not in KINDS:
        message = f"must be one of {', '.join(KINDS)} in small letters"
        raise ValueError(message)
    return cell


def _ticker(cell: str, tickers: frozenset[str]) -> str | None:
    if cell and cell not in tickers:
        message = f"must be a ticker of the universe ({', '.join(sorted(tickers))})"
        raise ValueError(message)
    return cell or None


def _quantity(cell: str) -> int | None:
    if not cell:
        return None
    if not re.fullmatch(r"0*[1-9]\d*", cell, re.ASCII):
        message = "must be a whole number of shares, 1 or more, digits only"
        raise ValueError(message)
    return int(_at_most(cell, MAX_QUANTITY))


def _decimal(cell: str, places: int, at_least: str) -> Decimal | None:
    if not cell:
        return None
    if not re.fullmatch(rf"\d+(\.\d{{1,{places}}})?", cell, re.ASCII) or Decimal(cell) < Decimal(at_least):
        message = (
            f"must be {at_least} or more with at most {places} decimals: digits and a dot only, like 1234.56 "
            "(no comma, no sign, no space, no exponent)"
        )
        raise ValueError(message)
    return _at_most(cell, MAX_EUR)


def _at_most(cell: str, most: Decimal) -> Decimal:
    if Decimal(cell) > most:
        message = f"must be at most {most}"
        raise ValueError(message)
    return Decimal(cell)


def _text(cell: str) -> str:
    if len(cell) > MAX_TEXT or not cell.isprintable():
        message = f"must be one line of at most {MAX_TEXT} printable characters"
        raise ValueError(message)
    return cell
