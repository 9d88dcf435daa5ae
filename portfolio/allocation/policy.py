"""The policy: which weights go with which regime, and when a target is left alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from portfolio.allocation.limits import breaches
from portfolio.allocation.weights import percent
from portfolio.errors import ModelError, SettingsError
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portfolio.allocation.limits import Limit

FALLBACK = "neutral"  # the table used when there is no trusted model
LABELS = ("calm", FALLBACK, "stressed")
TABLE_TOLERANCE = 1e-9  # a table is typed by hand: only float noise is forgiven
PROBABILITY_TOLERANCE = 1e-6
NEARLY_NOTHING = 5e-4  # would be shown as 0.0 %

# Evidence: walk-forward 1990-2025, docs/decisions. The slack under the limits is on purpose: a calm table at the
# limits breached leverage by drift on 38 % of days, these on none (leverage peaked at 27 %, cash bottomed at 11.3 %).
DEFAULT_TABLES: Mapping[str, Mapping[str, float]] = {
    "calm": {
        "WPEA.PA": 0.28,
        "PE500.PA": 0.20,
        "PUST.PA": 0.12,
        "PAEEM.PA": 0.04,
        "LQQ.PA": 0.11,
        "CL2.PA": 0.11,
        CASH: 0.14,
    },
    "neutral": {
        "WPEA.PA": 0.34,
        "PE500.PA": 0.20,
        "PUST.PA": 0.10,
        "PAEEM.PA": 0.06,
        "LQQ.PA": 0.05,
        "CL2.PA": 0.05,
        CASH: 0.20,
    },
    "stressed": {
        "WPEA.PA": 0.28,
        "PE500.PA": 0.12,
        "PUST.PA": 0.0,
        "PAEEM.PA": 0.0,
        "LQQ.PA": 0.0,
        "CL2.PA": 0.0,
        CASH: 0.60,
    },
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights by regime label; `dwell_sessions` a target stays at least; `band` a line must differ by to change it."""

    tables: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: DEFAULT_TABLES)
    dwell_sessions: int = 5
    band: float = 0.025


def ensure_policy(policy: Policy, tickers: Iterable[str], rules: Iterable[Limit] = ()) -> None:
    """Raise SettingsError, naming table, rule, value and remedy, unless the policy can be used.

    With `rules` a table that breaks a limit is refused too; without, the limits cut it every day and say so.
    """
    if set(policy.tables) != set(LABELS):
        message = f"The policy has tables {sorted(policy.tables)}: it needs {', '.join(LABELS)}. Give all three."
        raise SettingsError(message)
    if policy.dwell_sessions < 0:
        message = f"The policy's dwell_sessions is {policy.dwell_sessions}: give 0 or more sessions."
        raise SettingsError(message)
    if not (math.isfinite(policy.band) and 0 <= policy.band <= 1):
        message = f"The policy's band is {policy.band}: give a fraction from 0 to 1, 0.025 for 2.5 points."
        raise SettingsError(message)
    known, kept = (*tickers, CASH), tuple(rules)
    for label, table in policy.tables.items():
        _ensure_table(label, table, known, kept)


def blend(probabilities: Mapping[str, float], tables: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mix the tables by the probabilities of their labels.

    Parameters
    ----------
    probabilities
        Filtered probability by label; finite, 0 to 1, sum 1 within 1e-6 (scaled to exactly 1 here).
    tables
        Weights (fractions, sum 1) by label; a ticker absent from a table weighs 0.

    Returns
    -------
    dict
        Fraction of the account by ticker; a mix of tables that keep the limits keeps them (limits are convex).

    Raises
    ------
    ModelError
        A probability is NaN or outside [0, 1], they don't sum to 1, or a label has no table.

    """
    _ensure_probabilities(probabilities, tables)
    total = math.fsum(probabilities.values())
    names = dict.fromkeys(ticker for label in probabilities for ticker in tables[label])
    return {
        ticker: math.fsum(p / total * tables[label].get(ticker, 0.0) for label, p in probabilities.items())
        for ticker in names
    }


def _ensure_table(label: str, table: Mapping[str, float], known: tuple[str, ...], rules: tuple[Limit, ...]) -> None:
    what = f"Weight table {label} (PORTFOLIO_WEIGHTS_{label.upper()})"
    for ticker, weight in table.items():
        if ticker not in known:
            message = f"{what}: {ticker} is not in the universe ({', '.join(known)}): mend or remove it."
            raise SettingsError(message)
        if not (math.isfinite(weight) and weight >= 0):
            message = f"{what}: {ticker} is {weight}; a weight is a finite fraction, 0 or more. Mend it."
            raise SettingsError(message)
    total = math.fsum(table.values())
    if abs(total - 1) > TABLE_TOLERANCE:
        message = f"{what} sums to {total:.10g}; it must sum to 1 with {CASH}. Put the rest in {CASH}."
        raise SettingsError(message)
    for name, breach in breaches(table, rules).items():
        message = f"{what} breaks the limit {name}: {breach}. Lower the line or loosen the limit."
        raise SettingsError(message)


def _ensure_probabilities(probabilities: Mapping[str, float], tables: Mapping[str, object]) -> None:
    shown = ", ".join(f"{label} {p}" for label, p in probabilities.items())
    unknown = [label for label in probabilities if label not in tables]
    if unknown:
        message = f"The model's state {unknown[0]!r} has no table (there are {', '.join(tables)}): fit the model again."
        raise ModelError(message)
    within = all(math.isfinite(p) and 0 <= p <= 1 + PROBABILITY_TOLERANCE for p in probabilities.values())
    if not within or abs(math.fsum(probabilities.values()) - 1) > PROBABILITY_TOLERANCE:
        message = f"The model's probabilities are not ones ({shown}): each within 0..1, sum 1. Fit the model again."
        raise ModelError(message)


def shown_probabilities(probabilities: Mapping[str, float]) -> str:
    """Show probabilities for a reader: calm 82.3 %, stressed 17.7 %; what only rounds to certainty is "> 99.9 %"."""
    return ", ".join(f"{label} {_shown(p)}" for label, p in probabilities.items())


def _shown(probability: float) -> str:
    if 0 < probability < NEARLY_NOTHING:
        return "< 0.1 %"
    return "> 99.9 %" if 1 - NEARLY_NOTHING < probability < 1 else f"{100 * probability:.1f} %"


def shown_weights(weights: Mapping[str, float]) -> str:
    """Show weights above 0 for a reader."""
    return ", ".join(f"{ticker} {percent(weight)}" for ticker, weight in weights.items() if weight)
