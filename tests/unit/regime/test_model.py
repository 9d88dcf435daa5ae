"""A model refuses parts that don't fit, and is named after its content."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.errors import ModelError
from portfolio.regime.model import ARRAYS, model_bytes, model_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from portfolio.regime.model import RegimeModel

    Models = Callable[..., RegimeModel]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"labels": ("stressed", "calm")}, "labels"),
        ({"labels": ("calm",)}, "labels"),
        ({"feature_names": ("vix", "vix")}, "feature_names"),
        ({"feature_names": ()}, "feature_names"),
        ({"mean_": [0.0]}, "mean_"),
        ({"mean_": [0.0, np.nan]}, "mean_"),
        ({"scale_": [1.0, 0.0]}, "scale_"),
        ({"startprob_": [0.5, 0.6]}, "sum to 1"),
        ({"startprob_": [-0.5, 1.5]}, "sum to 1"),
        ({"transmat_": [[0.9, 0.1], [0.2, 0.9]]}, "sum to 1"),
        ({"transmat_": [[1.0, 0.0]]}, "transmat_"),
        ({"means_": [[0.0, np.inf], [0.0, 0.0]]}, "means_"),
        ({"covars_": [[[1.0, 2.0], [2.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]]]}, "positive definite"),
        ({"covars_": [[[1.0, 0.5], [0.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]]]}, "symmetric"),
        ({"covars_": [[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]}, "increasing volatility"),
        ({"fit_start": date(2010, 1, 1)}, "fit window"),
        ({"fit_rows": 0}, "fit window"),
        ({"log_likelihood": np.nan}, "log_likelihood"),
    ],
)
def test_model_refuses_a_part_that_breaks_a_rule(make_model: Models, changes: dict[str, object], rule: str):
    with pytest.raises(ModelError, match=rule) as refused:
        make_model(**changes)
    assert "fit it again" in str(refused.value)


def test_model_cannot_be_changed_through_its_arrays_or_those_it_was_made_from(make_model: Models):
    means = np.array([[0.0, -1.0], [0.0, 1.0]])
    model = make_model(means_=means)
    means[0, 0] = 99.0

    assert model.means_[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        model.means_[0, 0] = 1.0


def test_id_changes_with_any_content_and_only_then(make_model: Models):
    model = make_model()
    nudged = np.array([0.0, np.nextafter(0.0, 1.0)])

    assert model.model_id == make_model().model_id
    assert model.model_id.startswith("hmm-")
    assert len(model.model_id) == 16
    others = [make_model(mean_=nudged), make_model(fit_end=date(2004, 1, 2)), make_model(data_hash="1" * 64)]
    assert len({model.model_id, *(other.model_id for other in others)}) == 4


def test_expected_duration_is_the_mean_of_a_geometric_stay(make_model: Models):
    model = make_model(transmat_=[[0.75, 0.25], [0.0, 1.0]])

    assert model.expected_durations.tolist() == [4.0, np.inf]


def test_volatility_is_in_the_units_of_the_return(make_model: Models):
    model = make_model(scale_=[0.01, 1.0], covars_=[[[0.25, 0.0], [0.0, 1.0]], [[4.0, 0.0], [0.0, 1.0]]])

    assert model.volatilities.tolist() == pytest.approx([0.005, 0.02], rel=1e-15)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), states=st.sampled_from([2, 3]), features=st.sampled_from([1, 2, 3]))
def test_text_brings_back_every_bit(random_model: Models, seed: int, states: int, features: int):
    model = random_model(seed, states, features)

    back = model_from(json.loads(model_bytes(model)))

    assert all(getattr(back, name).tobytes() == getattr(model, name).tobytes() for name in ARRAYS)
    assert model_bytes(back) == model_bytes(model)
    assert back.model_id == model.model_id
