"""The verdict on a challenger, one test per reason."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from portfolio.regime.gates import GateResult
from portfolio.regime.hmm import Fit
from portfolio.regime.judge import Outcome, judge_challenger
from portfolio.regime.spec import FitSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from portfolio.regime.model import RegimeModel

    Models = Callable[..., RegimeModel]

PASSED = GateResult("occupancy", 0.3, "each state holds at least 5% of the window", passed=True)
FAILED = GateResult("volatility-ratio", 1.2, "the stressed state is at least 1.5 times as volatile", passed=False)
LATER = {"fit_end": date(2004, 1, 30)}


def fit_of(model: RegimeModel, *gates: GateResult) -> Fit:
    return Fit(model, gates, (), FitSpec())


def test_challenger_is_rejected_with_the_gates_it_failed(make_model: Models):
    verdict = judge_challenger(fit_of(make_model(), PASSED, FAILED), None, None)

    assert verdict.outcome is Outcome.REJECT
    assert verdict.reasons == (
        "gate volatility-ratio failed: the stressed state is at least 1.5 times as volatile; seen 1.2",
    )


def test_challenger_is_promoted_when_there_is_no_champion(make_model: Models):
    verdict = judge_challenger(fit_of(make_model(), PASSED), None, None)

    assert verdict.outcome is Outcome.PROMOTE
    assert "there is no champion" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("since", "outcome"), [(0, Outcome.KEEP), (20, Outcome.KEEP), (21, Outcome.PROMOTE), (None, Outcome.PROMOTE)]
)
def test_challenger_waits_until_twenty_one_sessions_after_the_last_promotion(
    make_model: Models, since: int | None, outcome: Outcome
):
    verdict = judge_challenger(fit_of(make_model(**LATER), PASSED), make_model(), since)

    assert verdict.outcome is outcome
    assert len(verdict.reasons) == 1


def test_waiting_time_is_a_setting(make_model: Models):
    challenger = fit_of(make_model(**LATER), PASSED)

    assert judge_challenger(challenger, make_model(), 5, minimum_sessions_between=5).outcome is Outcome.PROMOTE


def test_champion_stays_when_the_fit_gave_it_again(make_model: Models):
    verdict = judge_challenger(fit_of(make_model(), PASSED), make_model(), 100)

    assert verdict.outcome is Outcome.KEEP
    assert "again" in verdict.reasons[0]


@pytest.mark.parametrize("fit_end", [date(2003, 12, 31), date(2003, 6, 30)])
def test_champion_stays_when_the_challenger_knows_no_later_session(make_model: Models, fit_end: date):
    challenger = fit_of(make_model(fit_end=fit_end, log_likelihood=-1.0), PASSED)

    assert judge_challenger(challenger, make_model(), 100).outcome is Outcome.KEEP


def test_champion_gives_way_at_once_when_the_settings_ask_for_other_features(make_model: Models):
    challenger = fit_of(make_model(feature_names=("return_log_1d", "vix")), PASSED)

    verdict = judge_challenger(challenger, make_model(), 0)

    assert verdict.outcome is Outcome.PROMOTE
    assert "other features or states" in verdict.reasons[0]


def test_champion_stays_when_a_challenger_for_other_features_fails_a_gate(make_model: Models):
    challenger = fit_of(make_model(feature_names=("return_log_1d", "vix")), FAILED)

    assert judge_challenger(challenger, make_model(), 100).outcome is Outcome.REJECT
