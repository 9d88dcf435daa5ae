"""Jumps: closes too far from the last believed one are doubtful until the next session's close stands by them.

One walk over a symbol's closes in the order of their days. What it says about a row rests on earlier rows and, for a
doubtful one, on the next session's row; the doubtful row then counts as known only from that row's instant. So the
answer is the same whether history comes in one batch or day by day, as long as a batch reaches back over the
doubtful row. A line's move that the drivers made too is no jump.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from portfolio.findings import Severity
from portfolio.sources.quarantine import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portfolio.sources.checks_market import LineMarket

# |log return| below FLOOR times the fund's leverage is never a jump. Since 1990 one daily move in twelve real histories
# (S&P 500, Nasdaq-100, CAC 40, SPY, SSO, QLD, DBPG, LQQ, CW8, ESE, PAEEM, total returns) passed it: the Nasdaq-100's
# 17 % of 2001-01-03. At 0.12 the days of March 2020 would be blocked.
FLOOR = 0.15
# Beyond the floor a jump must also pass SPREADS robust standard deviations: that 17 % was 4.6 of them.
SPREADS = 8.0
# No move passes as usual beyond this, however wild the year or long the gap: a 3:2 split is log(1.5) = 0.405.
CEILING = 0.35
WINDOW = 250  # believed returns that the spread is taken over: a year
FEWEST_RETURNS = 20  # a spread of fewer says nothing: the floor alone holds
MAD_TO_SIGMA = 1.4826  # for normal returns (P. Rousseeuw, C. Croux, JASA 88 (1993), section 1)

RATIO_TOLERANCE = 0.05  # a day's own move beside the factor
UNIT_FACTORS = (100.0, 1000.0)  # pence for pounds, mills for units
HALF_SPLIT = 1.5  # 3:2, the usual split that is no whole number

_SHOWS = ("close",)
JUMP = Rule("jump", Severity.ERROR, "too far from the last believed close; the next session's close decides", _SHOWS)
UNIT_FLIP = Rule("unit-flip", Severity.ERROR, "100 or 1000 times off the last believed close; fetch again", _SHOWS)
SPLIT_LIKE = Rule(
    "unexplained-split",
    Severity.ERROR,
    "a split's ratio to the last believed close, no split recorded and no such move of the drivers; look the fund up: "
    "after a split run `portfolio update` once the provider records it, else take the line out of the universe file",
    _SHOWS,
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A close on its exchange's `place`-th session; `row` is its place in the batch, None when already stored."""

    place: int
    close: float
    available_at: int  # microseconds since 1970, only carried along
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the walk says of a batch row: `rule` None when believed, from `available_at`; why `doubted` before."""

    rule: Rule | None
    available_at: int
    doubted: Rule | None = None


def jump_rule(ratio: float) -> Rule:
    """Name the jump by the ratio of a close to the last believed one."""
    size = abs(log(ratio))
    if any(abs(size - log(factor)) <= RATIO_TOLERANCE for factor in UNIT_FACTORS):
        return UNIT_FLIP
    nearest = max(2.0, float(round(np.exp(size))))
    if min(abs(size - log(nearest)), abs(size - log(HALF_SPLIT))) <= RATIO_TOLERANCE:
        return SPLIT_LIKE
    return JUMP


@dataclass(slots=True)
class JumpWalk:
    """The walk's state: believed returns, the last believed close, the doubtful ones of one level after it."""

    leverage: int
    splits: Mapping[int, float]  # session's place -> log of new shares for one old
    market: LineMarket | None = None  # None for a driver
    returns: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    believed: Quote | None = None
    suspects: list[Quote] = field(default_factory=list)
    rule: Rule = JUMP  # why the suspects are doubtful
    verdicts: dict[int, Verdict] = field(default_factory=dict)

    def judge(self, quote: Quote, stored: Quote | None = None) -> None:
        """Take the next day's row of the batch; `stored` is the row of that day already believed, if any."""
        if stored and stored.close == quote.close:
            self.remember(replace(quote, available_at=stored.available_at))
            return
        self._reconsider(quote.available_at)
        if self._stands_by_suspect(quote):
            self._follow_suspect(quote)
        elif self.believed is None or self._usual(self.believed, quote) or self._explained(quote, quote.available_at):
            self._believe(quote)
        else:
            self.suspects = []
            self._doubt(quote, jump_rule(quote.close / self.believed.close))
        if stored and self.believed and self.believed.place < stored.place:
            self._believe(stored)

    def remember(self, stored: Quote) -> None:
        """Take the next day's row that is already believed."""
        self._reconsider(stored.available_at)
        if self.rule is JUMP and self._stands_by_suspect(stored):
            self._confirm_suspect(stored)
        self._believe(stored)

    def _believe(self, quote: Quote) -> None:
        if self.believed:
            self.returns.append(self._distance(self.believed, quote))
        self.believed, self.suspects = quote, []
        if quote.row is not None:
            self.verdicts[quote.row] = Verdict(None, quote.available_at)

    def _believe_late(self, suspect: Quote, instant: int) -> None:
        self._believe(suspect)
        if suspect.row is not None:
            doubted = self.rule if instant > suspect.available_at else None
            self.verdicts[suspect.row] = Verdict(None, max(suspect.available_at, instant), doubted)

    def _doubt(self, quote: Quote, rule: Rule) -> None:
        self.suspects = [*self.suspects, quote]
        self.rule = rule
        if quote.row is not None:
            self.verdicts[quote.row] = Verdict(rule, quote.available_at)

    def _follow_suspect(self, quote: Quote) -> None:
        if self.rule is JUMP and quote.place == self.suspects[-1].place + 1:
            self._confirm_suspect(quote)
            self._believe(quote)
        else:
            self._doubt(quote, self.rule)

    def _confirm_suspect(self, witness: Quote) -> None:
        if witness.place == self.suspects[-1].place + 1:
            self._believe_late(self.suspects[-1], witness.available_at)

    def _reconsider(self, instant: int) -> None:
        """Believe the doubtful level after all once the drivers' closes, themselves confirmed by now, explain it."""
        if self.suspects and self._explained(self.suspects[0], instant):
            for suspect in self.suspects:
                self._believe_late(suspect, instant)

    def _explained(self, quote: Quote, instant: int) -> bool:
        """Whether moves of the drivers known at the instant leave a usual move, and less than they explain.

        Without the second half a 3:2 split of a 2x line, 0.405, would pass on any day on which the drivers lose 5.3 %,
        as the usual move alone is 0.30; with it half of the ratio must be the market's.
        """
        if self.market is None or self.believed is None:
            return False
        moved = self._distance(self.believed, quote)
        limit = self._limit(quote.place - self.believed.place)
        shares = self.market.moves(self.believed.place, quote.place, instant)
        return any(abs(moved - share) <= min(limit, abs(share)) for share in shares)

    def _stands_by_suspect(self, quote: Quote) -> bool:
        """Whether the row is within a usual move of the doubtful close, and nearer to it than to the believed one."""
        if not self.suspects or self.believed is None:
            return False
        suspect = self.suspects[-1]
        nearer = abs(self._distance(suspect, quote)) < abs(self._distance(self.believed, quote))
        return nearer and self._usual(suspect, quote)

    def _usual(self, earlier: Quote, later: Quote) -> bool:
        size = abs(self._distance(earlier, later))
        floor = min(FLOOR * self.leverage, CEILING)
        return size <= floor or size <= self._limit(later.place - earlier.place)

    def _limit(self, sessions: int) -> float:
        spread = 0.0
        if len(self.returns) >= FEWEST_RETURNS:
            window = np.array(self.returns)
            spread = MAD_TO_SIGMA * float(np.median(np.abs(window - np.median(window))))
        return min(max(FLOOR * self.leverage, SPREADS * spread) * sqrt(max(sessions, 1)), CEILING)

    def _distance(self, earlier: Quote, later: Quote) -> float:
        """Log return, less a recorded split where that explains it (closes may or may not be adjusted for it)."""
        plain = log(later.close / earlier.close)
        factor = (
            sum(self.splits.get(place, 0.0) for place in range(earlier.place + 1, later.place + 1))
            if self.splits
            else 0
        )
        return min(plain, plain + factor, key=abs)


def judge_jumps(
    quotes: Iterable[Quote],
    known: Iterable[Quote],
    leverage: int,
    splits: Mapping[int, float],
    market: LineMarket | None = None,
) -> dict[int, Verdict]:
    """Judge a symbol's batch rows against each other and the rows already believed.

    Parameters
    ----------
    quotes : iterable of Quote
        The batch's rows that passed the row rules, one for each day, positive finite closes, any order.
    known : iterable of Quote
        Rows already believed, one for each day; those of a day that the batch has too only serve as its stored version.
    leverage : int
        The line's leverage: scales the floor.
    splits : mapping of session place to log ratio
        Recorded splits of the symbol.
    market : LineMarket, optional
        What the drivers did, for a line; a driver has none.

    Returns
    -------
    dict of int to Verdict
        One for each quote's `row`. Look-ahead rule: a verdict rests on rows known at its `available_at` or before.
    """
    walk = JumpWalk(leverage, splits, market)
    fresh = {quote.place: quote for quote in quotes}
    stored = {quote.place: quote for quote in known}
    for place in sorted(fresh.keys() | stored.keys()):
        if place in fresh:
            walk.judge(fresh[place], stored.get(place))
        else:
            walk.remember(stored[place])
    return walk.verdicts
