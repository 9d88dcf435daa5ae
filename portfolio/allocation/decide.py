"""The decision: from probabilities to the weights the account should hold, and every reason why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from portfolio.allocation.limits import Limit, Limits, bind_limits, breaches
from portfolio.allocation.policy import FALLBACK, Policy, blend, shown_probabilities, shown_weights
from portfolio.allocation.weights import WHOLE_BP, all_cash, from_bp, ordered, percent, points, quantised
from portfolio.findings import Finding, Severity
from portfolio.universe import CASH, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_BAND_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class PreviousTarget:
    """The target in force: the newest earlier decision TARGET, days of HOLD between passed over.

    `sessions_since_change` counts sessions from the one on which these weights were first decided to today's.
    """

    session: date
    weights: Mapping[str, float]
    sessions_since_change: int


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """All that a decision may depend on.

    `probabilities` are filtered ones by label, None when no model is trusted (`fallback_reason` says why).
    `tradable` are the tickers with a usable price series; a targeted one without gives its share to CASH.
    `holdings` are the account's weights now, CASH included, None when unknown. `blocking` are the findings
    that block the day. `reconstructed` tickers have prices that were not quoted.
    """

    session: date
    universe: Universe
    policy: Policy
    limits: Limits
    tradable: frozenset[str]
    probabilities: Mapping[str, float] | None = None
    fallback_reason: str = "no trusted model"
    previous: PreviousTarget | None = None
    holdings: Mapping[str, float] | None = None
    blocking: tuple[Finding, ...] = ()
    reconstructed: frozenset[str] = frozenset()
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the account should hold and why.

    `weights` and `desired` are multiples of 0.0001 that sum to 1 when counted in basis points; `desired` is
    today's blend under the limits, before dwell and band. `limits_bound` are the limits that cut the blend.
    """

    session: date
    decision: Literal["TARGET", "HOLD"]
    weights: dict[str, float]
    desired: dict[str, float]
    probabilities: dict[str, float] | None
    limits_bound: tuple[str, ...]
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    changed: bool
    model_id: str | None


@dataclass(frozen=True, slots=True)
class _Desired:
    weights: dict[str, float]
    bound: tuple[str, ...]
    reasons: tuple[str, ...]


def decide(wanted: DecisionInput) -> Decision:
    """Decide the target weights for the session.

    A blocked day is HOLD with the holdings as weights (all CASH when there are none). Otherwise: blend the
    tables, move what cannot be traded to CASH, apply the limits, count in basis points; then keep the target in
    force while it is younger than the dwell or differs by less than the band on every line. A target in force that
    breaks a limit or holds what cannot be traded is never kept.

    Returns
    -------
    Decision
        Weights are fractions, whole basis points, summing to 1.

    Raises
    ------
    ModelError
        Probabilities that are not probabilities, or of a state without a table.

    """
    rules = wanted.limits.rules(wanted.universe.leveraged)
    drift = _drift(wanted, rules)
    if wanted.blocking:
        return _hold(wanted, drift)
    desired = _desired(wanted, rules)
    kept = _why_kept(wanted, desired.weights, rules)
    weights = _in_force(wanted) if kept else desired.weights
    changed = wanted.previous is None or weights != _in_force(wanted)
    outcome = (kept,) if kept else _what_changed(wanted, desired.weights, rules)
    return Decision(
        session=wanted.session,
        decision="TARGET",
        weights=weights,
        desired=desired.weights,
        probabilities=dict(wanted.probabilities) if wanted.probabilities else None,
        limits_bound=desired.bound,
        reasons=(*desired.reasons, *outcome, *(finding.message for finding in drift)),
        findings=drift,
        changed=changed,
        model_id=wanted.model_id,
    )


def _hold(wanted: DecisionInput, drift: tuple[Finding, ...]) -> Decision:
    tickers = wanted.universe.tickers
    held = ordered(wanted.holdings, tickers) if wanted.holdings else all_cash(tickers)
    weights = from_bp(quantised(held))
    return Decision(
        session=wanted.session,
        decision="HOLD",
        weights=weights,
        desired=weights,
        probabilities=dict(wanted.probabilities) if wanted.probabilities else None,
        limits_bound=(),
        reasons=(*(finding.message for finding in wanted.blocking), *(finding.message for finding in drift)),
        findings=drift,
        changed=False,
        model_id=wanted.model_id,
    )


def _desired(wanted: DecisionInput, rules: tuple[Limit, ...]) -> _Desired:
    weights, reasons = _blended(wanted)
    weights, moved = _without_untradable(weights, wanted.tradable)
    weights, bound = bind_limits(ordered(weights, wanted.universe.tickers), rules)
    in_bp = quantised(weights, lambda rounded: not breaches(rounded, rules))
    estimated = [t for t in wanted.universe.tickers if in_bp.get(t) and t in wanted.reconstructed]
    note = (f"Prices of {', '.join(estimated)} are reconstructed, not quoted.",) if estimated else ()
    return _Desired(from_bp(in_bp), bound, (*reasons, *moved, *(f"Limit {cut}." for cut in bound), *note))


def _blended(wanted: DecisionInput) -> tuple[dict[str, float], tuple[str, ...]]:
    tables = wanted.policy.tables
    if wanted.probabilities is None:
        reason = f"The {FALLBACK} table is used because there is no regime to go by: {wanted.fallback_reason}."
        return dict(tables[FALLBACK]), (reason,)
    weights = blend(wanted.probabilities, tables)
    return weights, (f"Regime: {shown_probabilities(wanted.probabilities)} (filtered probabilities).",)


def _without_untradable(
    weights: Mapping[str, float], tradable: frozenset[str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    moved = {t: weight for t, weight in weights.items() if weight > 0 and t != CASH and t not in tradable}
    lines = {ticker: weight for ticker, weight in weights.items() if ticker not in moved}
    lines[CASH] = lines.get(CASH, 0.0) + sum(moved.values())
    shown = {ticker: percent(weight) for ticker, weight in moved.items() if round(weight * WHOLE_BP)}
    reasons = tuple(f"{ticker} is not tradable here: its {share} goes to {CASH}." for ticker, share in shown.items())
    return lines, reasons


def _in_force(wanted: DecisionInput) -> dict[str, float]:
    if wanted.previous is None:
        return {}
    return from_bp(quantised(ordered(wanted.previous.weights, wanted.universe.tickers)))


def _unkeepable(wanted: DecisionInput, rules: tuple[Limit, ...]) -> tuple[str, ...]:
    """Why the target in force cannot stay, whatever dwell and band say."""
    weights = _in_force(wanted)
    gone = [t for t, weight in weights.items() if weight and t != CASH and t not in wanted.tradable]
    return (*breaches(weights, rules).values(), *(f"{ticker} is not tradable here" for ticker in gone))


def _why_kept(wanted: DecisionInput, desired: Mapping[str, float], rules: tuple[Limit, ...]) -> str | None:
    previous, policy = wanted.previous, wanted.policy
    if previous is None or _unkeepable(wanted, rules):
        return None
    line, difference = _largest_difference(desired, _in_force(wanted))
    if difference == 0:
        return f"The target of {previous.session} stays: today's weights are the same."
    if previous.sessions_since_change < policy.dwell_sessions:
        return (
            f"The target of {previous.session} stays: it is {_sessions(previous.sessions_since_change)} old and stays "
            f"{_sessions(policy.dwell_sessions)} at least (today's would be {shown_weights(desired)})."
        )
    if difference < policy.band - _BAND_NOISE:
        return (
            f"The target of {previous.session} stays: the largest difference is {points(difference)} on {line}, "
            f"under the band of {points(policy.band)}."
        )
    return None


def _largest_difference(desired: Mapping[str, float], in_force: Mapping[str, float]) -> tuple[str, float]:
    """Return the line that differs most and by how much; CASH is no line, it is what the lines leave."""
    lines = [ticker for ticker in {**desired, **in_force} if ticker != CASH]
    differences = {ticker: abs(desired.get(ticker, 0.0) - in_force.get(ticker, 0.0)) for ticker in lines}
    line = max(differences, key=lambda ticker: differences[ticker])
    return line, differences[line]


def _what_changed(wanted: DecisionInput, desired: Mapping[str, float], rules: tuple[Limit, ...]) -> tuple[str, ...]:
    if wanted.previous is None:
        return ("This is the first target: there is none to compare with.",)
    in_force = _in_force(wanted)
    changes = [
        f"{ticker} {percent(in_force.get(ticker, 0.0))} -> {percent(desired.get(ticker, 0.0))}"
        for ticker in {**desired, **in_force}
        if desired.get(ticker, 0.0) != in_force.get(ticker, 0.0)
    ]
    must = tuple(f"The target of {wanted.previous.session} cannot stay: {why}." for why in _unkeepable(wanted, rules))
    return (*must, f"Changed since {wanted.previous.session}: {', '.join(changes) or 'nothing'}.")


def _drift(wanted: DecisionInput, rules: tuple[Limit, ...]) -> tuple[Finding, ...]:
    if wanted.holdings is None:
        return ()
    return tuple(
        Finding(
            Severity.WARNING,
            "drift-beyond-limit",
            name,
            f"The account has drifted beyond the limit {name}: {breach}. Orders restore it, unless the day is HOLD.",
            wanted.session,
            breach,
        )
        for name, breach in breaches(wanted.holdings, rules).items()
    )


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
