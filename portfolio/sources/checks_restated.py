"""Restated history: what a batch says of days that are believed already, against what is believed of them.

Unadjusted closes are corrected one by one, never all at once: a history that changes wholesale has another scale, is
adjusted, or has its days shifted. Only a recorded split of a later day explains one constant factor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import QUARANTINE_DTYPES, SPLIT, empty_frame
from portfolio.sources.checks_jumps import CEILING, FLOOR
from portfolio.sources.quarantine import TOLD_ONCE, Rule, quarantine_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

# A correction in ordinary use is some closes; five are needed so that a short overlap isn't taken for a history.
FEWEST_CHANGED = 5
SHARE_CHANGED = 0.20
# Relative; rounding to the cent moves a close of 10 EUR by 0.05 %, a dividend adjustment or a day's shift by far more.
CHANGED = 0.0005
# Two spellings of one close differ by less: a 32-bit float has steps of 6e-8.
SAME = 1e-6

# Rows of another currency among the others differ by its rate, and the rate moves less than this in two weeks.
ALIKE = 0.02
# Dollars for euros stood between 1.04 and 1.25 since 2015; a correction of two closes by more, and alike, is none.
OTHER_UNIT = 0.03
FEWEST_OF_OTHER_UNIT = 2

RESTATED = Rule(
    "restated",
    Severity.ERROR,
    "too far from the close believed of that day and no recorded split explains it; compare with another source, run "
    "`portfolio update` once the provider has mended it",
    ("close",),
)
MIXED_UNITS = Rule(
    "restated",
    Severity.ERROR,
    "off what was believed by the factor that other closes of this answer are off by: another currency or unit; run "
    "`portfolio update` once the provider has mended it",
    ("close",),
)
RESTATED_HISTORY = Rule(
    TOLD_ONCE,
    Severity.ERROR,
    "the believed history changes wholesale and no recorded split explains one factor: another scale, adjusted closes, "
    "shifted days; compare with another source, run `portfolio update` once the provider has mended it",
    ("close",),
)


def stored_rows(prices: pd.DataFrame, known_prices: pd.DataFrame) -> pd.DataFrame:
    """Return the believed `close` and `available_at` of each row's symbol and day; missing where there is none."""
    keys = ["symbol", "observed_on"]
    stored = prices[keys].merge(known_prices[[*keys, "close", "available_at"]], on=keys, how="left")
    return stored[["close", "available_at"]].set_index(prices.index)


def part_restated(
    prices: pd.DataFrame, known_prices: pd.DataFrame, actions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Part rows that restate what is believed of their days from the others; count the small corrections.

    `prices` has a RangeIndex and passed the row rules; `actions` are the batch's believed ones: they reach over the
    same days as its prices, so that each split of a later day than a row's is among them. Rows of days of which
    nothing is believed are never restated. Look-ahead rule: a restatement is known from its fetch on, so the whole
    batch may be looked at. Returns the other rows, quarantine records, findings.
    """
    ratio = prices["close"] / stored_rows(prices, known_prices)["close"]
    change = pd.Series(np.log(ratio.to_numpy()), index=prices.index)
    changed = prices["symbol"][change.abs() > SAME].unique()
    rules: dict[int, Rule] = {}
    findings: list[Finding] = []
    for symbol in changed:
        overlap = change[(prices["symbol"] == symbol) & change.notna()]
        splits = actions[(actions["symbol"] == symbol) & (actions["kind"] == SPLIT)]
        left = _left_by_splits(overlap, prices["observed_on"][overlap.index], splits)
        logs = _logs(prices[prices["symbol"] == symbol])
        broken = _broken(overlap, left) or _mixed(logs, left)
        rules |= broken | _new_of_their_unit(logs, left, left[left.index.isin(broken)])
        findings += _corrected(symbol, overlap.drop(index=list(broken)))
    if not rules:
        return prices, empty_frame(QUARANTINE_DTYPES), findings
    places = sorted(rules)
    records = quarantine_rows("price", prices.loc[places], [rules[place] for place in places])
    return prices.drop(index=places).reset_index(drop=True), records, findings


def _broken(overlap: pd.Series, left: pd.Series) -> dict[int, Rule]:
    """Name the rule that rows of one symbol break, by their place in the batch.

    `overlap`: log changes of closes; `left`: what recorded splits leave of them, the same series when that is all.
    """
    count, far = int((left.abs() > CHANGED).sum()), left.index[left.abs() > FLOOR]
    applied_to_part = left is not overlap and len(far) > 0  # a split: the days it lacks would be of another scale
    if applied_to_part or (count >= FEWEST_CHANGED and count > SHARE_CHANGED * len(left)):
        sentence = f"{RESTATED_HISTORY.sentence} ({count} of {len(left)} closes differ)"
        return dict.fromkeys(overlap.index, replace(RESTATED_HISTORY, sentence=sentence))
    return dict.fromkeys(far, RESTATED)


def _logs(rows: pd.DataFrame) -> pd.Series:
    """Return log closes in the order of their days, by their place in the batch."""
    ordered = rows.sort_values("observed_on")
    return pd.Series(np.log(ordered["close"].to_numpy()), index=ordered.index)


def _mixed(logs: pd.Series, left: pd.Series) -> dict[int, Rule]:
    """Name rows of another unit among the others: they changed alike, and the series is wilder with them.

    Were it calmer, the believed rows would be those of the other unit, and this their correction.
    """
    far = left[left.abs() > OTHER_UNIT]
    alike = far[(far - far.median()).abs() <= ALIKE]
    told = logs[logs.index.isin(left.index)]
    if len(alike) < FEWEST_OF_OTHER_UNIT or _wildness(told) <= _wildness(told - left[told.index]):
        return {}
    return dict.fromkeys((int(place) for place in alike.index), MIXED_UNITS)


def _new_of_their_unit(logs: pd.Series, left: pd.Series, broken: pd.Series) -> dict[int, Rule]:
    """Name new rows that are nearer to the last believed close times the broken rows' factor than to that close.

    Only of factors that a close may move by in a day: what is beyond is for the jump check.
    """
    factor = float(broken.median()) if len(broken) else 0.0
    if not OTHER_UNIT < abs(factor) <= CEILING:
        return {}
    old = logs[logs.index.isin(left.index)].index
    moves = logs.drop(index=old) - (logs[old[-1]] - left[old[-1]])
    return dict.fromkeys((int(place) for place in moves.index[(moves - factor).abs() < moves.abs()]), MIXED_UNITS)


def _wildness(logs: pd.Series) -> float:
    return float(logs.diff().abs().sum())


def _left_by_splits(overlap: pd.Series, days: pd.Series, splits: pd.DataFrame) -> pd.Series:
    """Take out what recorded splits of later days explain: those not yet in the believed closes, the newest ones.

    How many of them the believed closes lack is not recorded: the number that leaves the fewest changes is taken.
    """
    left = overlap
    for factors in _factors(days, splits):
        other = overlap + factors
        if (other.abs() > CHANGED).sum() < (left.abs() > CHANGED).sum():
            left = other
    return left


def _factors(days: pd.Series, splits: pd.DataFrame) -> Iterable[pd.Series]:
    """Log of the new shares for one old that the newest split, the two newest, ... make of each day's share."""
    total = days.astype("int64") * 0.0
    newest_first = splits.sort_values("observed_on", ascending=False)
    for day, value in zip(newest_first["observed_on"], newest_first["value"], strict=True):
        total = total + (days < day) * np.log(value)
        yield total


def _corrected(symbol: str, believed: pd.Series) -> list[Finding]:
    count = int((believed.abs() > SAME).sum())
    if not count:
        return []
    message = (
        f"{symbol}: {count} of {len(believed)} closes differ from those believed before and are taken as corrections "
        "(recorded splits count as such). Nothing to do."
    )
    return [Finding(Severity.INFO, "corrected-prices", symbol, message, value=str(count))]
