"""The ledger's plain CSV file: parsed strictly, every mistake named by line and column, and written back.

    date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note[,reference]

UTF-8 (a byte order mark and CRLF are accepted), a comma between columns, a dot in decimals; docs/LEDGER.md has
the rule of each column.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING

from portfolio.errors import LedgerError
from portfolio.ledger.csv_row import COLUMNS, OPTIONAL_COLUMN, Problem, RowRules, parse_row
from portfolio.ledger.entries import Entry, plain, with_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from decimal import Decimal
    from pathlib import Path

SHOWN_PROBLEMS = 10  # enough to mend a file in one go, few enough to read
MAX_BYTES = 20_000_000  # some hundred thousand lines: anything larger is not a hand-kept ledger

_HEADER = ",".join(COLUMNS)


def read_entries_csv(path: Path, tickers: Iterable[str], today: date) -> tuple[Entry, ...]:
    """Read and check a ledger file; raise LedgerError naming file, line, column, rule and value seen."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"Ledger file {path} cannot be read ({error.strerror}): give the path of a readable CSV file."
        raise LedgerError(message) from error
    if len(content) > MAX_BYTES:
        message = f"Ledger file {path} is larger than {MAX_BYTES // 1_000_000} MB: give the ledger's CSV file."
        raise LedgerError(message)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"Ledger file {path} is not UTF-8 (byte {error.start}): save it as CSV, UTF-8, and import it again."
        raise LedgerError(message) from error
    return parse_entries(text, str(path), tickers, today)


def parse_entries(text: str, where: str, tickers: Iterable[str], today: date) -> tuple[Entry, ...]:
    """Parse the text of a ledger file; raise LedgerError with up to ten of its mistakes."""
    rows = _rows(text, where)
    header = next(rows, (0, []))[1]
    _ensure_header(header, where)
    entries: list[Entry] = []
    problems: list[Problem] = []
    rules = RowRules(frozenset(tickers), today)
    references: Counter[str] = Counter()
    for line, cells in rows:
        entry, found = parse_row(line, header, cells, rules)
        problems.extend(found)
        if entry is None:
            continue
        entries.append(entry)
        if entry.reference is not None:
            references[entry.reference] += 1
            if references[entry.reference] > 1:
                problems.append(Problem(line, OPTIONAL_COLUMN, "must stand once in the file", entry.reference))
    if problems:
        raise LedgerError(_explained(where, problems))
    return with_ids(entries)


def entries_csv(entries: Iterable[Entry]) -> str:
    """Write entries as a file that imports to the same entries, references included."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*COLUMNS, OPTIONAL_COLUMN))
    for entry in entries:
        numbers = (entry.price, entry.fee if entry.kind in ("buy", "sell") else None, entry.amount)
        writer.writerow(
            (
                entry.booked_on.isoformat(),
                entry.kind,
                entry.ticker or "",
                "" if entry.quantity is None else entry.quantity,
                *(_cell(number) for number in numbers),
                entry.note,
                entry.reference or "",
            )
        )
    return buffer.getvalue()


def _cell(number: Decimal | None) -> str:
    return "" if number is None else plain(number)


def _rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Give line number and stripped cells of each row that isn't blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        message = f"Ledger file {where}, line {reader.line_num}: is not CSV ({error}): mend the line's quotes."
        raise LedgerError(message) from error


def _ensure_header(header: list[str], where: str) -> None:
    if tuple(header) in (COLUMNS, (*COLUMNS, OPTIONAL_COLUMN)):
        return
    wanted = f"the first line must read {_HEADER} (and may end with ,{OPTIONAL_COLUMN})"
    if not header:
        message = f"Ledger file {where} is empty: {wanted}."
        raise LedgerError(message)
    seen = ",".join(header)
    separator = next((mark for mark in (";", "\t") if mark in seen and len(header) < len(COLUMNS)), None)
    cause = f"; {separator!r} separates its columns, use a comma" if separator else ""
    missing = [column for column in COLUMNS if column not in header]
    extra = [column for column in header if column not in (*COLUMNS, OPTIONAL_COLUMN)]
    detail = "".join(f"; {what} {', '.join(names)}" for what, names in (("without", missing), ("with", extra)) if names)
    message = f"Ledger file {where}, line 1: {wanted}; seen {seen[:200]!r}{cause or detail}."
    raise LedgerError(message)


def _explained(where: str, problems: list[Problem]) -> str:
    shown = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
    more = len(problems) - len(shown)
    rest = f"\n  ... and {more} more" if more else ""
    lines = "".join(f"\n  {problem}" for problem in shown)
    return f"Ledger file {where} breaks {len(problems)} rule(s), nothing was imported:{lines}{rest}"
