"""Models made by hand and regimes made by chance, for the tests of this room."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from portfolio.regime.hmm import Fit, fit_model
from portfolio.regime.labels import LABELS
from portfolio.regime.model import RegimeModel
from portfolio.regime.spec import FitSpec

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("return_log_1d", "log_vol_21d")


def model_of(**changes: object) -> RegimeModel:
    """A plain two-state model, calm at (0, -1) and stressed at (0, +1), with some parts changed."""
    parts: dict[str, object] = {
        "drivers": ("^GSPC", "^NDX"),
        "feature_names": NAMES,
        "labels": ("calm", "stressed"),
        "mean_": [0.0, 0.0],
        "scale_": [1.0, 1.0],
        "startprob_": [0.5, 0.5],
        "transmat_": [[0.95, 0.05], [0.05, 0.95]],
        "means_": [[0.0, -1.0], [0.0, 1.0]],
        "covars_": [[[0.25, 0.0], [0.0, 0.1]], [[1.0, 0.0], [0.0, 0.1]]],
        "fit_start": date(2000, 1, 3),
        "fit_end": date(2003, 12, 31),
        "fit_rows": 1000,
        "data_hash": "0" * 64,
        "log_likelihood": -1234.5,
    }
    return RegimeModel(**(parts | changes))  # type: ignore[arg-type]  # the test says what it changes


def random_model_of(seed: int, states: int, features: int) -> RegimeModel:
    """A model with random parameters, states in order."""
    generator = np.random.default_rng(seed)
    roots = generator.normal(size=(states, features, features))
    covars = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(features)
    return model_of(
        feature_names=(*NAMES, "vix")[:features],
        labels=LABELS[states],
        mean_=generator.normal(size=features),
        scale_=generator.uniform(0.5, 2.0, size=features),
        startprob_=generator.dirichlet(np.ones(states)),
        transmat_=generator.dirichlet(np.ones(states), size=states),
        means_=generator.normal(scale=2.0, size=(states, features)),
        covars_=covars[np.argsort(covars[:, 0, 0])],
    )


def table_of(values: object) -> pd.DataFrame:
    """A feature table of the values' rows, on business days."""
    array = np.asarray(values, dtype=np.float64)
    index = pd.bdate_range("2000-01-03", periods=len(array), name="observed_on")
    return pd.DataFrame(array, index=index, columns=list((*NAMES, "vix")[: array.shape[1]]))


def two_regimes_of(seed: int, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A table drawn from two known regimes (volatility 1 and 3 % a day), and the states behind it."""
    generator = np.random.default_rng(seed)
    leaves = generator.random(rows) < np.array([0.02])
    states = (np.cumsum(leaves) % 2).astype(int)
    returns = generator.normal(np.array([0.001, -0.001])[states], np.array([0.01, 0.03])[states])
    log_vols = generator.normal(np.array([-2.0, -1.0])[states], np.array([0.2, 0.3])[states])
    return table_of(np.column_stack([returns, log_vols])), states


@pytest.fixture(scope="session")
def make_model() -> Callable[..., RegimeModel]:
    return model_of


@pytest.fixture(scope="session")
def random_model() -> Callable[[int, int, int], RegimeModel]:
    return random_model_of


@pytest.fixture(scope="session")
def table() -> Callable[[object], pd.DataFrame]:
    return table_of


@pytest.fixture(scope="session")
def two_regimes() -> Callable[[int, int], tuple[pd.DataFrame, np.ndarray]]:
    return two_regimes_of


@pytest.fixture(scope="session")
def fitted() -> Fit:
    """One fit to two known regimes, shared: a Fit is never changed."""
    return fit_model(two_regimes_of(1, 1500)[0], FitSpec(starts=4, seed=7))
