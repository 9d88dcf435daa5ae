"""`portfolio ledger`: bring in what really happened, and look at it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.cli.start import add_as_of, add_json, add_source, add_wait, start
from portfolio.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from datetime import date

    from portfolio.day.run import Run
    from portfolio.ledger.entries import Entry
    from portfolio.ledger.positions import Positions

EXAMPLE = "portfolio ledger import my-ledger.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("import", "show", "check"), help="docs/LEDGER.md describes the file")
    parser.add_argument("file", nargs="?", type=Path, help="the CSV file to import")
    add_source(parser)
    add_as_of(parser)
    add_wait(parser)
    add_json(parser)
    parser.add_argument("--csv", action="store_true", help="show the entries as a file that imports to the same")


def run(arguments: argparse.Namespace) -> int:
    if (arguments.action == "import") != (arguments.file is not None):
        message = "`ledger import` takes one file, `ledger show` and `ledger check` take none: portfolio ledger --help."
        raise UsageError(message)
    begun = start("ledger", arguments)
    if arguments.action == "import":
        return _import(begun, arguments)
    entries = _stored(begun)
    return _check(entries, arguments) if arguments.action == "check" else _show(begun, entries, arguments)


def _import(begun: Run, arguments: argparse.Namespace) -> int:
    from portfolio.day.ledger import import_ledger  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.day.stages import writing  # noqa: PLC0415

    with writing(begun, arguments.wait) as (store, ending):
        counts = import_ledger(store, begun, arguments.file)
        ending.rows_in, ending.rows_out = counts.read, counts.new
    if arguments.json:
        absent = [_entry_document(entry) for entry in counts.absent]
        print(json.dumps({"read": counts.read, "new": counts.new, "absent": absent}))
    else:
        print(f"{counts.read} entries read, {counts.new} new. See them with `portfolio ledger show`.")
        if counts.absent:
            print(f"{counts.told_absent} docs/LEDGER.md says how to undo a wrong line.")
    return 0


def _stored(begun: Run) -> tuple[Entry, ...]:
    from portfolio.day.ledger import stored_entries  # noqa: PLC0415  # DuckDB, pandas: not for --help
    from portfolio.store.connection import open_reader  # noqa: PLC0415

    with open_reader(begun.settings.store_path, begun.settings.source) as store:
        return stored_entries(store)


def _check(entries: Iterable[Entry], arguments: argparse.Namespace) -> int:
    from portfolio.ledger.positions import check_ledger  # noqa: PLC0415  # with the rest of the ledger

    findings = check_ledger(entries)
    if arguments.json:
        print(json.dumps({"findings": [finding.as_dict() for finding in findings]}, indent=2))
    else:
        print(
            "\n".join(finding.message for finding in findings)
            or "The ledger can be true: cash and lines are never below 0."
        )
    return 1 if findings else 0


def _show(begun: Run, entries: tuple[Entry, ...], arguments: argparse.Namespace) -> int:
    from portfolio.day.account import paris_day  # noqa: PLC0415  # pandas: not for --help
    from portfolio.ledger.csv_format import entries_csv  # noqa: PLC0415
    from portfolio.ledger.positions import fold  # noqa: PLC0415

    today = paris_day(begun.moment.decided_at)
    entries = tuple(entry for entry in entries if entry.booked_on <= today)
    if arguments.csv:
        print(entries_csv(entries), end="")
        return 0

    positions = fold(entries, begun.settings.initial_cash)
    if arguments.json:
        print(json.dumps(_document(entries, positions, today), indent=2))
    else:
        print("\n".join(_in_words(entries, positions, today)))
    return 0


def _in_words(entries: tuple[Entry, ...], positions: Positions, today: date) -> Iterator[str]:
    yield f"Ledger as of {today}"
    for entry in entries:
        line = f"{entry.quantity or '':>6} {entry.ticker or '':<9}" + (f" at {entry.price}" if entry.price else "")
        yield f"{entry.booked_on}  {entry.kind:<10} {line:<32} {entry.cash_flow_eur:>12} EUR  {entry.note}"
    if not entries:
        yield f"Nothing is booked up to {today}: the account starts from INITIAL_CASH."
    yield "\nPositions"
    for ticker, quantity in positions.quantities.items():
        yield f"  {quantity:>6} {ticker:<9} cost {positions.cost_eur[ticker]} EUR"
    yield f"  cash   {positions.cash_eur} EUR"


def _document(entries: tuple[Entry, ...], positions: Positions, today: date) -> dict[str, Any]:
    """Write entries and positions as plain JSON values; money is text, so that no cent is lost in a float."""
    return {
        "as_of": today.isoformat(),
        "entries": [_entry_document(entry) for entry in entries],
        "positions": {
            ticker: {"quantity": quantity, "cost_eur": str(positions.cost_eur[ticker])}
            for ticker, quantity in positions.quantities.items()
        },
        "cash_eur": str(positions.cash_eur),
        "invested_eur": str(positions.invested_eur),
    }


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {
        "date": entry.booked_on.isoformat(),
        "kind": entry.kind,
        "ticker": entry.ticker,
        "quantity": entry.quantity,
        "price_eur": None if entry.price is None else str(entry.price),
        "fee_eur": str(entry.fee),
        "cash_flow_eur": str(entry.cash_flow_eur),
        "note": entry.note,
    }
