"""Dividends and splits against the closes around them.

An invented split would double a holding, a dividend in cents make a fortune, one told twice a gain that never was. A
verdict rests on the action's own day and earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from portfolio.findings import Severity
from portfolio.sources.batch import DIVIDEND, QUARANTINE_DTYPES, SPLIT, empty_frame
from portfolio.sources.checks_jumps import FLOOR
from portfolio.sources.quarantine import Rule, quarantine_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from portfolio.sources.row_checks import RowContext

# Of the close before it. Funds pay up to 2 % a quarter; in cents the usual ones pass this.
LARGEST_DIVIDEND = 0.10
# Funds pay monthly at most; the same amount sooner is one payment told by its ex-day and by its payment day.
SAME_DIVIDEND_DAYS = 10

_SHOWS = ("kind", "value")
SPLIT_CONTRADICTED = Rule(
    "split-contradicted",
    Severity.ERROR,
    "the closes move as if there had been no such split, or its day has no close; look the fund up, and fetch again",
    _SHOWS,
)
RESTS_ON_SPLIT = Rule(
    "split-contradicted",
    Severity.ERROR,
    "its value is told in shares of after a split that the closes contradict; fetch again",
    _SHOWS,
)
DIVIDEND_TOO_LARGE = Rule(
    "dividend-too-large",
    Severity.ERROR,
    f"a dividend of more than {LARGEST_DIVIDEND:.0%} of the close before it is probably in another unit; look the fund "
    "up, and fetch again",
    _SHOWS,
)
DIVIDEND_TWICE = Rule(
    "dividend-twice",
    Severity.ERROR,
    f"the same dividend within {SAME_DIVIDEND_DAYS} days is probably one told twice; look the fund up, and fetch again",
    _SHOWS,
)


@dataclass(frozen=True, slots=True)
class _Closes:
    """A symbol's closes by day: believed ones, and the batch's, which passed the row rules."""

    stored: pd.Series
    fresh: pd.Series

    def before(self, day: pd.Timestamp) -> float | None:
        """Return the last close before a day; the believed one when there is any, as fresh ones rest on the splits."""
        for closes in (self.stored, self.fresh):
            earlier = closes[closes.index < day]
            if len(earlier):
                return float(earlier.iloc[-1])
        return None

    def on(self, day: pd.Timestamp) -> float | None:
        """Return the close of a day: the batch's, else the believed one."""
        found = next((closes for closes in (self.fresh, self.stored) if day in closes.index), None)
        return None if found is None else float(found[day])


def part_actions(
    actions: pd.DataFrame,
    prices: pd.DataFrame,
    known_prices: pd.DataFrame,
    known_actions: pd.DataFrame,
    context: RowContext,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part doubtful actions from the others; returns both, the doubtful as quarantine records.

    `actions` and `prices` passed the row rules; the known ones are believed from earlier batches. Without any close
    before an action its symbol's history begins with it, and nothing is said of it.
    """
    dividends = known_actions[known_actions["kind"] == DIVIDEND]
    rules: dict[int, Rule] = {}
    for symbol, own in actions.sort_values("observed_on").groupby("symbol", sort=False):
        closes = _Closes(*(_by_day(frame[frame["symbol"] == symbol]) for frame in (known_prices, prices)))
        told = _told(own[own["kind"] == DIVIDEND], dividends[dividends["symbol"] == symbol])
        rules |= dict(_doubtful_dividends(told, closes))
        rules |= dict(_doubtful_by_splits(own, closes, FLOOR * context.leverage(str(symbol))))
    if not rules:
        return actions, empty_frame(QUARANTINE_DTYPES)
    places = sorted(rules)
    records = quarantine_rows("action", actions.loc[places], [rules[place] for place in places])
    return actions.drop(index=places).reset_index(drop=True), records


def _by_day(rows: pd.DataFrame) -> pd.Series:
    return rows.set_index("observed_on")["close"].sort_index()


def _doubtful_by_splits(actions: pd.DataFrame, closes: _Closes, floor: float) -> Iterator[tuple[int, Rule]]:
    """Find contradicted splits, and the actions before them, which the source has told in the shares of after them."""
    splits = actions[actions["kind"] == SPLIT]
    for place, day, ratio in zip(splits.index, splits["observed_on"], splits["value"], strict=True):
        if _contradicted(closes, day, ratio, floor):
            yield int(place), SPLIT_CONTRADICTED
            yield from ((int(other), RESTS_ON_SPLIT) for other in actions.index[actions["observed_on"] < day])


def _contradicted(closes: _Closes, day: pd.Timestamp, ratio: float, floor: float) -> bool:
    """Whether the closes are nearer to no split than to this one; one within usual moves cannot be told."""
    before, after = closes.before(day), closes.on(day)
    if before is None or abs(log(ratio)) <= floor:
        return False
    return after is None or abs(log(after / before) + log(ratio)) > abs(log(after / before))


class _Dividend(NamedTuple):
    """A dividend; `place` in the batch, None for one that is believed and that the batch may reach back to no more."""

    day: pd.Timestamp
    value: float
    place: int | None


def _told(fresh: pd.DataFrame, believed: pd.DataFrame) -> list[_Dividend]:
    """List a symbol's dividends by their day, those of the batch and the others that are believed."""
    rest = believed[~believed["observed_on"].isin(fresh["observed_on"])]
    old = [_Dividend(day, value, None) for day, value in zip(rest["observed_on"], rest["value"], strict=True)]
    new = [_Dividend(*row) for row in zip(fresh["observed_on"], fresh["value"], fresh.index.tolist(), strict=True)]
    return sorted([*old, *new], key=attrgetter("day"))


def _doubtful_dividends(dividends: Iterable[_Dividend], closes: _Closes) -> Iterator[tuple[int, Rule]]:
    last = None
    for told in dividends:
        before = closes.before(told.day)
        if told.place is None:
            last = told
        elif before is not None and told.value > LARGEST_DIVIDEND * before:
            yield told.place, DIVIDEND_TOO_LARGE
        elif last and told.value == last.value and (told.day - last.day).days <= SAME_DIVIDEND_DAYS:
            yield told.place, DIVIDEND_TWICE
        else:
            last = told
