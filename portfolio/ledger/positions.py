"""Positions: what the account holds after its entries, and whether those entries can be true."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from portfolio.errors import LedgerError
from portfolio.findings import Finding, Severity
from portfolio.ledger.entries import CENT, ZERO, Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

# A share is split before its market opens. Then money and shares come in before they go out, so that neither the
# order of a file's lines nor of several imports changes the positions; cash and shares are checked at the day's end.
_DAY_ORDER: tuple[Kind, ...] = ("split", "deposit", "dividend", "buy", "sell", "fee", "withdrawal")
_SHOWN_FINDINGS = 10


@dataclass(frozen=True, slots=True)
class Positions:
    """What the account holds.

    `quantities` are whole shares above 0 by ticker (sorted), `cost_eur` what they cost with fees (average-cost
    method) by ticker, `invested_eur` deposits less withdrawals, `first_on` and `last_on` the days of the first and
    last entry folded (None: no entry).
    """

    cash_eur: Decimal
    quantities: dict[str, int] = field(default_factory=dict)
    cost_eur: dict[str, Decimal] = field(default_factory=dict)
    invested_eur: Decimal = ZERO
    first_on: date | None = None
    last_on: date | None = None


def fold(entries: Iterable[Entry], initial_cash_eur: Decimal, until: date | None = None) -> Positions:
    """Fold the entries booked up to and including `until` (None: all) into positions.

    With no entry to fold the account is taken to hold `initial_cash_eur`; one entry is enough to make the ledger
    the only truth, so the first one to book is the deposit.

    Parameters
    ----------
    entries
        In any order: they are folded by day, then splits, deposits, dividends, buys, sells, fees, withdrawals.
    initial_cash_eur
        EUR of an account without entries.
    until
        Entries after this day are not looked at.

    Returns
    -------
    Positions
        Cash in EUR to the cent; cost of a line = buys with fees, less sold quantity x average cost. A split sets the
        line's quantity and leaves its cost.

    Raises
    ------
    LedgerError
        Cash or a quantity is below 0 at the end of a day, or a split cannot be true; the message lists the days.

    Notes
    -----
    Source of the average cost: Code general des impots, article 150-0 D, 3 (weighted average unit cost).

    """
    booked = [entry for entry in entries if until is None or entry.booked_on <= until]
    if not booked:
        return Positions(initial_cash_eur, invested_eur=initial_cash_eur)
    account, findings = _walk(booked)
    if findings:
        raise LedgerError(_explained(findings))
    held = sorted(ticker for ticker, quantity in account.quantities.items() if quantity)
    return Positions(
        cash_eur=account.cash_eur,
        quantities={ticker: account.quantities[ticker] for ticker in held},
        cost_eur={ticker: account.cost_eur[ticker] for ticker in held},
        invested_eur=account.invested_eur,
        first_on=min(entry.booked_on for entry in booked),
        last_on=max(entry.booked_on for entry in booked),
    )


def check_ledger(entries: Iterable[Entry]) -> tuple[Finding, ...]:
    """Return an ERROR for each thing that cannot be true; nothing when the ledger can be.

    Rules: `cash-negative` and `short-position` at the end of a day, `split-of-nothing` for a line not held,
    `split-contradicted` for two quantities of one line on one day.
    """
    return _walk(list(entries))[1]


def quantities_held(entries: Iterable[Entry], until: date) -> dict[str, int]:
    """Return the whole shares above 0 by ticker at the end of that day, also of a ledger that cannot be true."""
    account, _ = _walk([entry for entry in entries if entry.booked_on <= until])
    return {ticker: quantity for ticker, quantity in account.quantities.items() if quantity > 0}


class _Account:
    """The running state of a fold."""

    def __init__(self) -> None:
        self.cash_eur = ZERO
        self.invested_eur = ZERO
        self.quantities: dict[str, int] = {}
        self.cost_eur: dict[str, Decimal] = {}

    def book(self, entry: Entry) -> None:
        self.cash_eur += entry.cash_flow_eur
        if entry.kind in ("deposit", "withdrawal"):
            self.invested_eur += entry.cash_flow_eur
        if entry.ticker is not None and entry.quantity is not None:
            self._trade(entry, entry.ticker, entry.quantity)

    def _trade(self, entry: Entry, ticker: str, quantity: int) -> None:
        held, cost = self.quantities.get(ticker, 0), self.cost_eur.get(ticker, ZERO)
        if entry.kind == "split":
            self.quantities[ticker] = quantity if held > 0 else held
        elif entry.kind == "buy":
            self.quantities[ticker] = held + quantity
            self.cost_eur[ticker] = cost - entry.cash_flow_eur
        else:
            self.quantities[ticker] = held - quantity
            # Never below nothing: a short line is a finding, its cost means nothing.
            share = Decimal(min(quantity, held)) / held if held > 0 else Decimal(1)
            self.cost_eur[ticker] = cost - (cost * share).quantize(CENT, ROUND_HALF_UP)


def _walk(entries: list[Entry]) -> tuple[_Account, tuple[Finding, ...]]:
    account = _Account()
    findings: list[Finding] = []
    in_order = sorted(entries, key=lambda entry: (entry.booked_on, _DAY_ORDER.index(entry.kind), entry.entry_id))
    for day, entries_of_day in groupby(in_order, key=lambda entry: entry.booked_on):
        booked = list(entries_of_day)
        findings += _day_start(account, day, [entry for entry in booked if entry.kind == "split"])
        for entry in booked:
            account.book(entry)
        findings += _day_end(account, day, sorted({entry.ticker for entry in booked if entry.ticker}))
    return account, tuple(findings)


def _day_start(account: _Account, day: date, splits: list[Entry]) -> list[Finding]:
    findings = []
    for ticker in sorted({entry.ticker for entry in splits if entry.ticker}):
        quantities = sorted({entry.quantity for entry in splits if entry.ticker == ticker and entry.quantity})
        held = account.quantities.get(ticker, 0)
        if held <= 0:
            message = (
                f"A split of {ticker} is booked on {day} and the line holds {held} shares before it: only a held line "
                "is split. A buy before that day is missing, or the split's day or ticker is wrong."
            )
            findings.append(Finding(Severity.ERROR, "split-of-nothing", ticker, message, day, str(held)))
        if len(quantities) > 1:
            seen = ", ".join(str(quantity) for quantity in quantities)
            message = (
                f"Splits of {ticker} on {day} say that it holds {seen} shares: a day has one split of a line. Leave "
                "the wrong one out; one that is booked already is corrected by a split on a later day."
            )
            findings.append(Finding(Severity.ERROR, "split-contradicted", ticker, message, day, seen))
    return findings


def _day_end(account: _Account, day: date, touched: list[str]) -> list[Finding]:
    findings = []
    if account.cash_eur < 0:
        message = (
            f"Cash is {account.cash_eur} EUR at the end of {day}: it is never below 0. A deposit before that day is "
            "missing, or a buy is wrong."
        )
        findings.append(Finding(Severity.ERROR, "cash-negative", "", message, day, str(account.cash_eur)))
    for ticker in touched:
        quantity = account.quantities.get(ticker, 0)
        if quantity < 0:
            message = (
                f"{ticker} is {quantity} shares at the end of {day}: no line is ever short. A buy before that day is "
                "missing, or the sell is wrong."
            )
            findings.append(Finding(Severity.ERROR, "short-position", ticker, message, day, str(quantity)))
    return findings


def _explained(findings: tuple[Finding, ...]) -> str:
    more = len(findings) - _SHOWN_FINDINGS
    rest = f" ... and {more} more." if more > 0 else ""
    return f"The ledger cannot be true. {' '.join(f.message for f in findings[:_SHOWN_FINDINGS])}{rest}"
