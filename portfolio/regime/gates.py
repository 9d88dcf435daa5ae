"""What a fit must satisfy before it may decide anything: each rule with the value seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portfolio.regime.filter import most_likely_states

if TYPE_CHECKING:
    import pandas as pd

    from portfolio.regime.em import StartResult
    from portfolio.regime.model import RegimeModel
    from portfolio.regime.spec import GateSpec


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate: its stable name, the value seen (None when there is nothing to compare), the rule, and the answer."""

    name: str
    value: float | None
    rule: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Search:
    """How the optimum was looked for: the start that was chosen, and what became of all."""

    best: StartResult
    results: tuple[StartResult, ...]


def check_gates(
    model: RegimeModel, features: pd.DataFrame, search: Search, spec: GateSpec, champion: RegimeModel | None = None
) -> tuple[GateResult, ...]:
    """Judge a fit by every gate, always all of them and in the same order.

    `features` is the table the model was fitted on, or a longer one that ends on the same day. States are counted by
    their *filtered* probabilities, since it is those that decide; smoothed ones would count days nobody could have
    known.
    """
    occupancies = occupancy(model, features.iloc[-model.fit_rows :])
    return (
        _converged(search),
        _occupied(occupancies, spec),
        _not_mostly_stressed(occupancies, spec),
        _lasting(model, spec),
        _apart(model, spec),
        _found_again(search, spec),
        _steady(model, champion, features, spec),
    )


def occupancy(model: RegimeModel, features: pd.DataFrame) -> np.ndarray:
    """Return the share of rows on which each state is the most likely one by its filtered probability.

    (n_states,) floats that sum to 1, in the order of `model.labels`. Arguments, NaN rule, look-ahead rule and errors
    are those of `filter_probabilities`.
    """
    states = most_likely_states(model, features)
    return np.bincount(states, minlength=len(model.labels)) / len(states)


def relabelled_share(model: RegimeModel, champion: RegimeModel, features: pd.DataFrame, sessions: int) -> float:
    """Return the share of the last sessions that two models put into states of different names.

    Both filter the whole table, so that the sessions counted have the past they would have had live. NaN rule,
    look-ahead rule and errors are those of `filter_probabilities`.
    """
    ours, theirs = most_likely_states(model, features), most_likely_states(champion, features)
    return float(np.mean(ours[-sessions:] != theirs[-sessions:]))


def _converged(search: Search) -> GateResult:
    rule = f"EM settles before its last iteration (stopped after {search.best.iterations})"
    return GateResult("converged", float(search.best.converged), rule, search.best.converged)


def _occupied(occupancies: np.ndarray, spec: GateSpec) -> GateResult:
    rarest = float(occupancies.min())
    rule = f"each state holds at least {spec.min_occupancy:.0%} of the window"
    return GateResult("occupancy", rarest, rule, rarest >= spec.min_occupancy)


def _not_mostly_stressed(occupancies: np.ndarray, spec: GateSpec) -> GateResult:
    stressed = float(occupancies[-1])
    rule = f"the stressed state holds at most {spec.max_stressed_occupancy:.0%} of the window"
    return GateResult("stressed-occupancy", stressed, rule, stressed <= spec.max_stressed_occupancy)


def _lasting(model: RegimeModel, spec: GateSpec) -> GateResult:
    shortest = min(float(model.expected_durations.min()), float(model.fit_rows))  # never left: the window is known
    rule = f"each state lasts at least {spec.min_expected_duration_sessions:g} sessions on average"
    return GateResult("expected-duration", shortest, rule, shortest >= spec.min_expected_duration_sessions)


def _apart(model: RegimeModel, spec: GateSpec) -> GateResult:
    ratio = float(model.volatilities[-1] / model.volatilities[0])
    rule = f"the stressed state is at least {spec.min_volatility_ratio:g} times as volatile as the calm one"
    return GateResult("volatility-ratio", ratio, rule, ratio >= spec.min_volatility_ratio)


def _found_again(search: Search, spec: GateSpec) -> GateResult:
    reached = [result.log_likelihood for result in search.results if result.log_likelihood is not None]
    near = [value for value in reached if max(reached) - value <= spec.agreement_nats]
    # A converged start is chosen before a higher one that ran out of iterations: then nothing agrees with the best.
    agreeing = len(near) if search.best.log_likelihood in near else 0
    rule = f"at least {spec.min_agreeing_starts} starts end within {spec.agreement_nats:g} nat of the best"
    return GateResult("agreeing-starts", float(agreeing), rule, agreeing >= spec.min_agreeing_starts)


def _steady(model: RegimeModel, champion: RegimeModel | None, features: pd.DataFrame, spec: GateSpec) -> GateResult:
    window = spec.relabel_window_sessions
    rule = f"fewer than {spec.max_relabelled:.0%} of the last {window} sessions change their state's name"
    if champion is None or not model.reads_like(champion):
        return GateResult("relabelled", None, f"{rule} (no champion to compare with)", passed=True)
    share = relabelled_share(model, champion, features, window)
    return GateResult("relabelled", share, rule, share < spec.max_relabelled)
