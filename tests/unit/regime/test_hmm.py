"""Fitting: what is recovered, what is repeated, what fails and how."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from portfolio.errors import ModelError, SettingsError
from portfolio.features.build import build_features
from portfolio.features.spec import FeatureSpec
from portfolio.regime.em import has_settled, run_em
from portfolio.regime.filter import filter_probabilities, log_likelihood, most_likely_states
from portfolio.regime.hmm import fit_model, hash_features
from portfolio.regime.model import model_bytes
from portfolio.regime.spec import FitSpec
from portfolio.regime.starts import Start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from portfolio.regime.hmm import Fit
    from portfolio.regime.model import RegimeModel

    Models = Callable[..., RegimeModel]
    Tables = Callable[[object], pd.DataFrame]
    Regimes = Callable[[int, int], tuple[pd.DataFrame, np.ndarray]]

FEW = FitSpec(starts=3, seed=7)


def test_fit_recovers_the_regimes_that_made_the_data(two_regimes: Regimes, fitted: Fit):
    _, states = two_regimes(1, 1500)
    model = fitted.model

    assert model.labels == ("calm", "stressed")
    assert model.volatilities.tolist() == pytest.approx([0.01, 0.03], rel=0.08)
    natural_means = model.means_ * model.scale_ + model.mean_
    assert natural_means[:, 1].tolist() == pytest.approx([-2.0, -1.0], abs=0.05)
    stays = [np.mean(states[1:][states[:-1] == state] == state) for state in (0, 1)]
    assert np.diag(model.transmat_).tolist() == pytest.approx(stays, abs=0.01)
    assert fitted.passed


def test_filter_of_a_fit_finds_the_hidden_states(two_regimes: Regimes, fitted: Fit):
    features, states = two_regimes(1, 1500)

    assert np.mean(most_likely_states(fitted.model, features) == states) > 0.98


def test_log_likelihood_of_a_fit_is_reproduced_by_the_filter(two_regimes: Regimes, fitted: Fit):
    features, _ = two_regimes(1, 1500)

    assert log_likelihood(fitted.model, features) == pytest.approx(fitted.model.log_likelihood, rel=1e-8)


def test_fit_gives_the_same_bytes_when_repeated(two_regimes: Regimes):
    features, _ = two_regimes(2, 600)

    once, again = fit_model(features, FEW), fit_model(features.copy(), FEW)

    assert model_bytes(once.model) == model_bytes(again.model)
    assert (once.model.model_id, once.starts, once.gates) == (again.model.model_id, again.starts, again.gates)


def test_fit_gives_the_same_bytes_in_another_process_with_other_threads(two_regimes: Regimes, tmp_path: Path):
    features, _ = two_regimes(2, 600)
    features.to_pickle(tmp_path / "features")
    program = (
        "import sys, pandas as pd;"
        "from portfolio.regime.hmm import fit_model; from portfolio.regime.spec import FitSpec;"
        "print(fit_model(pd.read_pickle(sys.argv[1]), FitSpec(starts=3, seed=7)).model.model_id)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "features")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "5", "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    )

    assert ended.stdout.strip() == fit_model(features, FEW).model.model_id


def test_fit_gives_another_model_when_one_bit_of_the_data_differs(two_regimes: Regimes):
    features, _ = two_regimes(2, 600)
    other = features.copy()
    other.iloc[17, 0] = np.nextafter(other["return_log_1d"].to_numpy()[17], 1.0)

    assert hash_features(other) != hash_features(features)
    assert fit_model(other, FEW).model.model_id != fit_model(features, FEW).model.model_id


def test_fit_window_is_the_last_rows_when_a_window_is_set(two_regimes: Regimes):
    features, _ = two_regimes(3, 900)

    rolling = fit_model(features, replace(FEW, window_sessions=600)).model
    alone = fit_model(features.iloc[300:], FEW).model

    assert model_bytes(rolling) == model_bytes(alone)
    assert (rolling.fit_start, rolling.fit_end) == (features.index[300].date(), features.index[-1].date())


def test_fit_does_not_depend_on_the_units_of_the_features(two_regimes: Regimes):
    features, _ = two_regimes(4, 600)
    scaled = features * 1024.0 + 0.0  # a power of two changes no digit of the standardised values

    plain, other = fit_model(features, FEW).model, fit_model(scaled, FEW).model

    assert np.allclose(other.transmat_, plain.transmat_, rtol=1e-9)
    difference = filter_probabilities(other, scaled) - filter_probabilities(plain, features)
    assert difference.abs().max().max() < 1e-9


def test_starts_are_quantile_then_random_when_there_is_no_champion(fitted: Fit):
    assert [start.kind for start in fitted.starts] == ["quantile", "random", "random", "random"]
    assert all(start.converged and start.log_likelihood is not None for start in fitted.starts)


def test_a_start_is_warm_when_a_champion_is_given(two_regimes: Regimes, fitted: Fit):
    features, _ = two_regimes(1, 1500)

    again = fit_model(features, FitSpec(starts=4, seed=7), fitted.model)

    assert [start.kind for start in again.starts] == ["quantile", "warm", "random", "random"]
    assert again.starts[1].iterations < min(start.iterations for start in fitted.starts)
    assert {gate.name: gate.value for gate in again.gates}["relabelled"] == 0.0


def test_champion_is_left_aside_when_it_reads_other_features(two_regimes: Regimes, fitted: Fit):
    features, _ = two_regimes(1, 600)

    fit = fit_model(features[["return_log_1d"]], FEW, fitted.model)

    assert "warm" not in [start.kind for start in fit.starts]
    assert {gate.name: gate.value for gate in fit.gates}["relabelled"] is None


def test_states_are_ordered_by_the_volatility_of_the_return_whatever_its_column(two_regimes: Regimes):
    features, _ = two_regimes(5, 800)

    model = fit_model(features[["log_vol_21d", "return_log_1d"]], FEW).model

    assert model.volatilities.tolist() == pytest.approx([0.01, 0.03], rel=0.1)


def test_states_are_ordered_by_spread_when_there_is_no_return(two_regimes: Regimes):
    features, _ = two_regimes(6, 800)

    model = fit_model(features[["log_vol_21d"]], FEW).model

    assert (model.means_[:, 0] * model.scale_[0] + model.mean_[0]).tolist() == pytest.approx([-2.0, -1.0], abs=0.1)


def test_three_states_are_named_and_ordered(two_regimes: Regimes):
    features, _ = two_regimes(7, 600)

    model = fit_model(features, FitSpec(states=3, starts=4)).model

    assert model.labels == ("calm", "neutral", "stressed")
    assert (np.diff(model.volatilities) > 0).all()


def test_a_collapsing_start_is_a_failed_start_and_not_an_exception(two_regimes: Regimes):
    features, _ = two_regimes(8, 600)
    features.iloc[100:250] = [0.2, 1.0]  # one far value, 150 times: a state that takes it alone has no width

    fit = fit_model(features, FitSpec(starts=10, seed=1))

    failed = [start for start in fit.starts if start.failure]
    assert 0 < len(failed) < 10
    assert all(start.log_likelihood is None and not start.converged for start in failed)
    assert np.linalg.eigvalsh(fit.model.covars_).min() > 1e-3


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]),  # no covariance at all
        ([1e6, 1e6], [[1.0, 0.0], [0.0, 1.0]]),  # a state that no day ever visits
        ([30.0, 30.0], [[1.0, 0.0], [0.0, 1.0]]),  # one that only the last day visits
    ],
)
def test_em_reports_a_failure_when_a_state_is_impossible(mean: list[float], covariance: list[list[float]]):
    values = np.random.default_rng(0).normal(size=(300, 2))
    values[-1] = 30.0
    start = Start(
        "random",
        transmat=np.array([[0.95, 0.05], [0.05, 0.95]]),
        means=np.array([[0.0, 0.0], mean]),
        covars=np.array([np.eye(2), covariance]),
    )

    result, parameters = run_em(values, start, FEW)

    assert parameters is None
    assert result.failure
    assert (result.log_likelihood, result.converged) == (None, False)


def test_quantile_start_groups_by_the_size_of_the_return_when_volatility_is_not_read(two_regimes: Regimes):
    features, _ = two_regimes(14, 800)

    model = fit_model(features[["return_log_1d"]], FitSpec(starts=1)).model

    assert model.volatilities.tolist() == pytest.approx([0.01, 0.03], rel=0.15)


def test_quantile_start_groups_by_the_first_feature_when_neither_is_read(two_regimes: Regimes):
    features, _ = two_regimes(15, 800)
    renamed = features[["log_vol_21d"]].set_axis(["vix"], axis=1)

    fit = fit_model(renamed, FitSpec(starts=1))

    assert (fit.model.means_[:, 0] * fit.model.scale_[0] + fit.model.mean_[0]).tolist() == pytest.approx(
        [-2.0, -1.0], abs=0.1
    )


def test_fit_refuses_when_every_start_fails(two_regimes: Regimes):
    features, _ = two_regimes(9, 400)
    features["log_vol_21d"] = 2.0 * features["return_log_1d"]  # no covariance is invertible

    with pytest.raises(ModelError, match="all 3 starts failed"):
        fit_model(features, FEW)


def test_gate_converged_fails_when_the_iterations_run_out(two_regimes: Regimes):
    features, _ = two_regimes(10, 600)

    fit = fit_model(features, FitSpec(starts=2, max_iterations=2, tolerance_nats=1e-9))

    assert not fit.passed
    assert not next(gate for gate in fit.gates if gate.name == "converged").passed
    assert [start.iterations for start in fit.starts] == [2, 2]


@pytest.mark.parametrize(
    ("history", "settled"),
    [
        ([-10.0], False),
        ([-10.0, -9.0], False),
        ([-10.0, -9.0, -8.99999999], True),
        ([-10.0, -9.0, -9.0], True),
        ([-10.0, -9.0, -9.1], False),  # hmmlearn calls this converged
    ],
)
def test_em_has_settled_only_when_the_last_gain_is_small_and_not_a_loss(history: list[float], settled: bool):  # noqa: FBT001  # a table's column
    assert has_settled(history, 1e-6) is settled


def test_fit_refuses_a_short_table(two_regimes: Regimes):
    with pytest.raises(ModelError, match=r"at least 252 sessions.*251 given"):
        fit_model(two_regimes(11, 251)[0], FEW)


def test_fit_refuses_nan(two_regimes: Regimes):
    features, _ = two_regimes(12, 300)
    features.iloc[5, 1] = np.nan

    with pytest.raises(ModelError, match="NaN or infinity"):
        fit_model(features, FEW)


def test_fit_refuses_a_feature_that_never_varies(two_regimes: Regimes):
    features, _ = two_regimes(13, 300)

    with pytest.raises(ModelError, match="log_vol_21d never varies"):
        fit_model(features.assign(log_vol_21d=0.1), FEW)


@pytest.mark.parametrize(
    "changes",
    [
        {"states": 4},
        {"starts": 0},
        {"seed": -1},
        {"window_sessions": -5},
        {"max_iterations": 1},
        {"tolerance_nats": 0.0},
        {"tolerance_nats": float("nan")},
    ],
)
def test_spec_refuses_a_value_out_of_range(changes: dict[str, float]):
    with pytest.raises(SettingsError, match=next(iter(changes))):
        FitSpec(**changes)  # type: ignore[arg-type]  # wrong on purpose


def test_starts_default_to_ten_and_to_forty_for_three_states():
    assert (FitSpec().number_of_starts, FitSpec(states=3).number_of_starts) == (10, 40)
    assert FitSpec(states=3, starts=5).number_of_starts == 5


def test_fit_of_the_packaged_sample_gives_the_documented_figures():
    panel = resources.files("portfolio.sources").joinpath("sample_data/panel_us_1999_2022.csv.gz")
    with resources.as_file(panel) as path:
        closes = pd.read_csv(path, index_col=0, parse_dates=True)[["SP500", "NASDAQCOM"]]
    features = build_features(closes, pd.DataFrame(), FeatureSpec(("SP500", "NASDAQCOM")))

    fit = fit_model(features, FitSpec())

    # Measured with hmmlearn alone, at 1e-8 of tolerance, from random starts: docs/decisions/0004.
    assert fit.model.log_likelihood == pytest.approx(-10658.2834, abs=0.001)
    assert np.diag(fit.model.transmat_).tolist() == pytest.approx([0.99079, 0.98977], abs=1e-4)
    assert (fit.model.volatilities * np.sqrt(252)).tolist() == pytest.approx([0.1145, 0.2888], abs=0.0005)
    assert fit.passed
    assert {gate.name: gate.value for gate in fit.gates}["agreeing-starts"] == 10
