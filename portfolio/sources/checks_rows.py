"""Rules on single rows: which check each row must pass, how grave a failure is, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from portfolio.findings import Severity
from portfolio.sources import row_checks
from portfolio.sources.quarantine import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from portfolio.sources.row_checks import RowContext

QUOTES = row_checks.QUOTES


class RowCheck(NamedTuple):
    """A rule and the function that tells which rows break it."""

    rule: Rule
    breaks: Callable[[pd.DataFrame, RowContext], pd.Series]


_E, _W = Severity.ERROR, Severity.WARNING
_DAY = ("observed_on",)
_KNOWN = ("observed_on", "available_at")

_UNDATED: RowCheck = RowCheck(
    Rule("no-date", _W, "a row must have a day; ask the provider again", _DAY), row_checks.undated
)
_FUTURE: RowCheck = RowCheck(
    Rule("future-date", _E, "a day after the fetch cannot be known; mend the source's dates", _DAY),
    row_checks.in_the_future,
)
_SYMBOL: RowCheck = RowCheck(
    Rule("unknown-symbol", _W, "the universe has no such symbol; add it or fetch less", ("symbol",)),
    row_checks.unknown_symbols,
)
_CLOSED: RowCheck = RowCheck(
    Rule("not-a-session", _W, "the exchange was closed that day; the provider's days may be shifted", _DAY),
    row_checks.on_closed_day,
)

PRICE_CHECKS: tuple[RowCheck, ...] = (
    _SYMBOL,
    _UNDATED,
    _FUTURE,
    RowCheck(
        Rule("future-date", _W, "the day's final close was not yet known; the next fetch brings it", _KNOWN),
        row_checks.not_yet_known,
    ),
    RowCheck(
        Rule("known-too-early", _E, "a close is known from 06:00 in Paris on the next day; mend the source", _KNOWN),
        row_checks.price_too_early,
    ),
    _CLOSED,
    RowCheck(
        Rule("shifted-dates", _E, "a row on a weekend says that the days are shifted; fetch again", _DAY),
        row_checks.shifted_week,
    ),
    RowCheck(
        Rule("not-a-number", _E, "prices must be finite numbers; ask the provider again", QUOTES),
        row_checks.not_a_number,
    ),
    RowCheck(
        Rule("nan-price", _E, "a row must have a close; it may come later, fetch again", ("close", "volume")),
        row_checks.nan_close,
    ),
    RowCheck(
        Rule("non-positive-price", _E, "prices must be above zero; ask the provider again", QUOTES),
        row_checks.non_positive,
    ),
    RowCheck(
        Rule("high-below-low", _E, "high must not be below low; ask the provider again", ("high", "low")),
        row_checks.high_below_low,
    ),
    RowCheck(
        Rule(
            "close-outside-range",
            _E,
            "close must lie within low and high; ask the provider again",
            ("low", "high", "close"),
        ),
        row_checks.close_outside,
    ),
    RowCheck(
        Rule(
            "currency-mismatch",
            _E,
            "the currency must be the one the universe declares; mend the ticker",
            ("currency",),
        ),
        row_checks.other_currency,
    ),
)
ACTION_CHECKS: tuple[RowCheck, ...] = (
    _SYMBOL,
    _UNDATED,
    _FUTURE,
    RowCheck(
        Rule("future-date", _W, "the action's day was not yet over; the next fetch brings it", _KNOWN),
        row_checks.not_yet_known,
    ),
    RowCheck(
        Rule("known-too-early", _E, "an action is known from 06:00 in Paris on the next day; mend the source", _KNOWN),
        row_checks.price_too_early,
    ),
    _CLOSED,
    RowCheck(
        Rule("unknown-action", _W, "an action is a dividend or a split; mend the source", ("kind",)),
        row_checks.unknown_kind,
    ),
    RowCheck(
        Rule("bad-action-value", _E, "an action's value must be above zero; ask the provider again", ("kind", "value")),
        row_checks.bad_action_value,
    ),
)
MACRO_CHECKS: tuple[RowCheck, ...] = (
    RowCheck(
        Rule("unknown-series", _W, "the universe has no such series; add it or fetch less", ("series",)),
        row_checks.unknown_series,
    ),
    _UNDATED,
    _FUTURE,
    RowCheck(
        Rule("future-date", _W, "the value was not yet published; the next fetch brings it", _KNOWN),
        row_checks.macro_not_yet_known,
    ),
    RowCheck(
        Rule("known-too-early", _E, "FRED prints a day's value a session later; mend the source", _KNOWN),
        row_checks.macro_too_early,
    ),
    RowCheck(
        Rule("not-a-number", _E, "a value must be a finite number; ask the provider again", ("value",)),
        row_checks.not_finite,
    ),
    RowCheck(
        Rule(
            "unit-flip", _E, "50 times and more off the value before; compare with FRED's page, fetch again", ("value",)
        ),
        row_checks.macro_unit_flip,
    ),
)
REPEATED = Rule("duplicate-row", Severity.INFO, "the same row came twice; one is kept", _DAY)
CONFLICTING = Rule("duplicate-row", _E, "two rows of one day disagree, neither is believed; fetch again", _DAY)


def readable(frame: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame in its declared types, with `unreadable` true where a number was something else."""
    numbers = [column for column, dtype in dtypes.items() if dtype == "float64"]
    read = frame[list(dtypes)].reset_index(drop=True)
    parsed = read[numbers].apply(pd.to_numeric, errors="coerce")
    unreadable = (read[numbers].notna() & parsed.isna()).any(axis=1)
    return (
        read.assign(**{column: parsed[column] for column in numbers}).astype(dict(dtypes)).assign(unreadable=unreadable)
    )


def broken_rules(
    rows: pd.DataFrame, checks: Sequence[RowCheck], context: RowContext, key: list[str]
) -> list[Rule | None]:
    """Name the first rule that each row breaks, None for a row that breaks none.

    Rows that pass every check are then compared with each other: `key` may stand once.
    """
    broken: list[Rule | None] = [None] * len(rows)
    free = np.ones(len(rows), dtype=bool)
    for check in checks:
        hit = check.breaks(rows, context).to_numpy(dtype=bool) & free
        free &= ~hit
        _name(broken, np.flatnonzero(hit), check.rule)
    passing = rows[free].drop(columns=["available_at"])
    repeated = passing.duplicated()
    conflicting = passing[~repeated].duplicated(key, keep=False)
    _name(broken, repeated.index[repeated], REPEATED)
    _name(broken, conflicting.index[conflicting], CONFLICTING)
    return broken


def _name(broken: list[Rule | None], places: Iterable[int], rule: Rule) -> None:
    for place in places:
        broken[place] = rule
