"""Splits of held lines that the market saw and the ledger does not have."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from portfolio.findings import Finding, Severity
from portfolio.ledger.positions import quantities_held

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from portfolio.ledger.entries import Entry

# Brokers book a split some days after the market, and some before: longer than that, far shorter than two splits.
BOOKED_WITHIN = timedelta(days=10)


def unbooked_splits(entries: Sequence[Entry], splits: Iterable[tuple[str, date, float]]) -> tuple[Finding, ...]:
    """Return an ERROR for each split of a held line that the ledger lacks: the line would be valued wrongly.

    Parameters
    ----------
    entries
        The ledger, in any order; entries after a split's day count only as its booking.
    splits
        (ticker, day, ratio): the first day the shares trade divided, and new shares for one old (10.0 for 10:1).

    Returns
    -------
    tuple of Finding
        One for each split whose line was held at the end of the day before and that has no `split` entry of the ticker
        at most 10 days before or after. Rule `split-unbooked`; subject the ticker, session the day, value the ratio.

    """
    booked = [(entry.ticker, entry.booked_on) for entry in entries if entry.kind == "split"]
    return tuple(
        _unbooked(ticker, day, ratio, held)
        for ticker, day, ratio in splits
        if not any(name == ticker and abs(booked_on - day) <= BOOKED_WITHIN for name, booked_on in booked)
        and (held := quantities_held(entries, day - timedelta(days=1)).get(ticker, 0))
    )


def _unbooked(ticker: str, day: date, ratio: float, held: int) -> Finding:
    value = f"{ratio:g}"
    message = (
        f"{ticker} was split on {day}, {value} new shares for 1, while the ledger held {held}: a split of a held line "
        f"must be booked, its closes are of the new shares. Book and import {day},split,{ticker},QUANTITY,,,, with the "
        "quantity your broker shows after the split."
    )
    return Finding(Severity.ERROR, "split-unbooked", ticker, message, day, value)
