"""The forward filter against hmmlearn on each prefix, against every path, and against the future."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hmmlearn.hmm import GaussianHMM
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.errors import ModelError
from portfolio.regime.filter import filter_probabilities, log_densities, log_likelihood, most_likely_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from portfolio.regime.model import RegimeModel

    Models = Callable[..., RegimeModel]
    Tables = Callable[[object], pd.DataFrame]

MODELS = st.tuples(st.integers(0, 10_000), st.sampled_from([2, 3]), st.sampled_from([1, 2, 3]))


def hmmlearn_twin(model: RegimeModel) -> GaussianHMM:
    twin = GaussianHMM(len(model.labels), "full", init_params="")
    twin.startprob_, twin.transmat_ = model.startprob_.copy(), model.transmat_.copy()
    twin.means_, twin.covars_ = model.means_.copy(), model.covars_.copy()
    return twin


def standardised(model: RegimeModel, features: pd.DataFrame) -> np.ndarray:
    return (features.to_numpy() - model.mean_) / model.scale_


def random_rows(model: RegimeModel, seed: int, number: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return model.mean_ + model.scale_ * generator.normal(scale=2.0, size=(number, len(model.feature_names)))


@settings(deadline=None, max_examples=25)
@given(drawn=MODELS)
def test_filter_equals_the_last_row_of_hmmlearn_on_each_prefix(
    random_model: Models, table: Tables, drawn: tuple[int, int, int]
):
    model = random_model(*drawn)
    features = table(random_rows(model, drawn[0] + 1, 40))
    twin, values = hmmlearn_twin(model), standardised(model, features)

    filtered = filter_probabilities(model, features).to_numpy()

    oracle = np.array([twin.predict_proba(values[: t + 1])[-1] for t in range(len(values))])
    assert np.abs(filtered - oracle).max() < 1e-9


@settings(deadline=None, max_examples=25)
@given(drawn=MODELS)
def test_log_likelihood_is_hmmlearns_score(random_model: Models, table: Tables, drawn: tuple[int, int, int]):
    model = random_model(*drawn)
    features = table(random_rows(model, drawn[0] + 1, 200))

    score = hmmlearn_twin(model).score(standardised(model, features))

    assert log_likelihood(model, features) == pytest.approx(score, rel=1e-8)


@pytest.mark.parametrize("states", [2, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_filter_equals_the_sum_over_every_path(random_model: Models, table: Tables, states: int, seed: int):
    model = random_model(seed, states, 2)
    features = table(random_rows(model, seed + 1, 5))
    values = standardised(model, features)

    def density(state: int, row: np.ndarray) -> float:
        rest, covariance = row - model.means_[state], model.covars_[state]
        distance = rest @ np.linalg.inv(covariance) @ rest
        return math.exp(-0.5 * distance) / math.sqrt((2 * math.pi) ** 2 * np.linalg.det(covariance))

    by_last_state = np.zeros(states)
    for t in range(1, len(values) + 1):
        by_last_state = np.zeros(states)
        for path in itertools.product(range(states), repeat=t):
            weight = model.startprob_[path[0]] * density(path[0], values[0])
            for before, state, row in zip(path, path[1:], values[1:t], strict=False):
                weight *= model.transmat_[before, state] * density(state, row)
            by_last_state[path[-1]] += weight
        expected = by_last_state / by_last_state.sum()
        assert filter_probabilities(model, features).iloc[t - 1].tolist() == pytest.approx(expected, rel=1e-10)
    assert math.exp(log_likelihood(model, features)) == pytest.approx(by_last_state.sum(), rel=1e-10)


@settings(deadline=None, max_examples=40)
@given(drawn=MODELS, number=st.integers(2, 80), data=st.data())
def test_probabilities_up_to_t_keep_every_byte_when_later_rows_are_noise(
    random_model: Models, table: Tables, drawn: tuple[int, int, int], number: int, data: st.DataObject
):
    model = random_model(*drawn)
    known = data.draw(st.integers(1, number - 1), label="rows known")
    rows = random_rows(model, drawn[0] + 1, number)
    noised = rows.copy()
    noised[known:] = np.random.default_rng(drawn[0] + 2).uniform(-1e3, 1e3, noised[known:].shape)

    whole, alone, other = (
        filter_probabilities(model, table(values)).to_numpy()[:known].tobytes()
        for values in (rows, rows[:known], noised)
    )

    assert whole == alone == other


@settings(deadline=None, max_examples=40)
@given(drawn=MODELS, spread=st.sampled_from([0.1, 1.0, 50.0, 1e4]))
def test_probabilities_are_probabilities_however_far_the_observations(
    random_model: Models, table: Tables, drawn: tuple[int, int, int], spread: float
):
    model = random_model(*drawn)
    rows = np.random.default_rng(drawn[0]).normal(scale=spread, size=(60, len(model.feature_names)))

    filtered = filter_probabilities(model, table(rows)).to_numpy()

    assert ((filtered >= 0) & (filtered <= 1)).all()
    assert np.abs(filtered.sum(axis=1) - 1).max() < 1e-12


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(3)))
def test_answer_follows_the_states_when_they_are_permuted(
    make_model: Models, table: Tables, seed: int, order: list[int]
):
    generator = np.random.default_rng(seed)
    parts = {
        "labels": ("calm", "neutral", "stressed"),
        "startprob_": generator.dirichlet(np.ones(3)),
        "transmat_": generator.dirichlet(np.ones(3), size=3),
        "means_": generator.normal(size=(3, 2)),
        "covars_": np.repeat(np.eye(2)[None], 3, axis=0),  # equal, so that any order is in order of volatility
    }
    permuted = {name: np.asarray(parts[name])[order] for name in ("startprob_", "means_", "covars_")}
    permuted["transmat_"] = np.asarray(parts["transmat_"])[np.ix_(order, order)]
    features = table(generator.normal(size=(30, 2)))

    plain = filter_probabilities(make_model(**parts), features).to_numpy()
    other = filter_probabilities(make_model(**(parts | permuted)), features).to_numpy()

    assert np.abs(plain[:, order] - other).max() < 1e-12


def test_filter_recovers_after_an_observation_of_fifty_sigma(make_model: Models, table: Tables):
    rows = np.array([[0.0, -1.0]] * 5 + [[50.0, -1.0]] + [[0.0, -1.0]] * 30)

    filtered = filter_probabilities(make_model(), table(rows))

    assert filtered["stressed"].iloc[5] > 0.999  # 50 sigma of the wider state, 100 of the other
    assert filtered["calm"].iloc[-1] > 0.99


def test_filter_never_leaves_a_state_that_cannot_be_left(make_model: Models, table: Tables):
    model = make_model(startprob_=[1.0, 0.0], transmat_=[[1.0, 0.0], [0.5, 0.5]])

    filtered = filter_probabilities(model, table([[0.0, 1.0]] * 20))

    assert (filtered["calm"] == 1.0).all()
    assert (filtered["stressed"] == 0.0).all()


def test_densities_use_the_scaler_and_the_whole_covariance(make_model: Models, table: Tables):
    model = make_model(
        mean_=[1.0, 2.0], scale_=[2.0, 4.0], covars_=[[[1.0, 0.5], [0.5, 1.0]], [[2.0, 0.0], [0.0, 1.0]]]
    )

    densities = log_densities(model, table([[3.0, 2.0]]))  # standardised: (1, 0)

    # Distance to (0, -1) is 2 (1 - .5) / .75 = 4 / 3, the determinant .75; to (0, 1) it is 1/2 + 1, determinant 2.
    expected = [-math.log(2 * math.pi) - (math.log(0.75) + 4 / 3) / 2, -math.log(2 * math.pi) - (math.log(2) + 1.5) / 2]
    assert densities[0].tolist() == pytest.approx(expected, rel=1e-14)


def test_filter_keeps_the_index_and_names_the_states(make_model: Models, table: Tables):
    features = table([[0.0, -1.0], [0.0, 1.0]])
    before = features.copy()

    filtered = filter_probabilities(make_model(), features)

    assert filtered.index.equals(features.index)
    assert filtered.columns.tolist() == ["calm", "stressed"]
    assert most_likely_states(make_model(), features).tolist() == [0, 1]
    pd.testing.assert_frame_equal(features, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_filter_refuses_a_value_that_is_not_finite(make_model: Models, table: Tables, value: float):
    with pytest.raises(ModelError, match=r"2000-01-04.*not finite.*mend that day"):
        filter_probabilities(make_model(), table([[0.0, 0.0], [value, 0.0]]))


def test_filter_refuses_a_value_beyond_every_density(make_model: Models, table: Tables):
    with pytest.raises(ModelError, match="no density in any state"):
        filter_probabilities(make_model(), table([[0.0, 0.0], [1e200, 0.0]]))


def test_filter_refuses_a_row_that_only_an_unreachable_state_allows(make_model: Models, table: Tables):
    model = make_model(
        startprob_=[1.0, 0.0],
        transmat_=[[1.0, 0.0], [0.5, 0.5]],
        covars_=[[[1e-300, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]],
    )

    with pytest.raises(ModelError, match="can be reached"):
        filter_probabilities(model, table([[1e10, 0.0]]))


@pytest.mark.parametrize("columns", [["log_vol_21d", "return_log_1d"], ["return_log_1d", "vix"]])
def test_filter_refuses_other_columns_or_another_order(make_model: Models, table: Tables, columns: list[str]):
    features = table([[0.0, 0.0]]).set_axis(columns, axis=1)

    with pytest.raises(ModelError, match="must be return_log_1d, log_vol_21d in that order"):
        filter_probabilities(make_model(), features)


def test_filter_refuses_an_empty_table(make_model: Models, table: Tables):
    with pytest.raises(ModelError, match="no row"):
        filter_probabilities(make_model(), table([[0.0, 0.0]]).iloc[:0])


def test_filtering_imports_no_fitting_library():
    program = (
        "import sys, portfolio.regime.filter, portfolio.regime.artifact, portfolio.regime.judge, portfolio.regime.hmm;"
        "print(sorted({'hmmlearn', 'sklearn', 'scipy', 'threadpoolctl'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
