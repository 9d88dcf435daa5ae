"""Where EM starts from: one start by quantiles, one from the champion, the others random and sticky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portfolio.regime.labels import LABELS, RETURN_FEATURE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from portfolio.regime.model import RegimeModel
    from portfolio.regime.spec import FitSpec

VOLATILITY_FEATURE = "log_vol_21d"
STICKY = (0.90, 0.99)  # regimes of 10 to 100 sessions: where the gates want the answer, and no start is far from it
QUANTILE_STICKY = 0.97  # about a month
# EM never moves a transition probability away from zero, so that a warm start must not begin there.
SMALLEST_TRANSITION = 1e-4
# Added to a start's covariances only, in units of the standardised features' variance, so that a group of equal rows
# can be started from; EM replaces it in its first step.
START_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Start:
    """Parameters EM starts from, in units of the standardised features."""

    kind: str
    transmat: NDArray[np.float64]
    means: NDArray[np.float64]
    covars: NDArray[np.float64]

    @property
    def startprob(self) -> NDArray[np.float64]:
        """Every state equally likely on the first day."""
        return np.full(len(self.means), 1.0 / len(self.means))


def make_starts(
    standardised: NDArray[np.float64],
    feature_names: tuple[str, ...],
    spec: FitSpec,
    warm: Start | None = None,
) -> list[Start]:
    """Return the starts of a fit: quantile, warm when given, and seeded random ones up to `spec.number_of_starts`.

    The random ones come from independent streams of `spec.seed`, so that the same seed gives the same starts.
    """
    streams = np.random.SeedSequence(spec.seed).spawn(spec.number_of_starts)
    starts = [_quantile_start(standardised, feature_names, spec.states)]
    if warm is not None:
        starts.append(warm)
    starts.extend(
        _random_start(standardised, spec.states, np.random.default_rng(stream)) for stream in streams[len(starts) :]
    )
    return starts[: spec.number_of_starts]


def warm_start(champion: RegimeModel, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> Start:
    """Return the champion's parameters in the units of a new scaler."""
    ratio = champion.scale_ / scale
    means = (champion.means_ * champion.scale_ + champion.mean_ - mean) / scale
    covars = champion.covars_ * np.outer(ratio, ratio)
    transmat = np.maximum(champion.transmat_, SMALLEST_TRANSITION)
    return Start("warm", transmat / transmat.sum(axis=1, keepdims=True), means, covars)


def can_warm(champion: RegimeModel, feature_names: tuple[str, ...], states: int) -> bool:
    """Whether a champion reads these features and has this number of states."""
    return champion.feature_names == feature_names and champion.labels == LABELS[states]


def _quantile_start(standardised: NDArray[np.float64], names: tuple[str, ...], states: int) -> Start:
    """Start from groups of equal size by how volatile the rows are."""
    order = np.argsort(_volatility_proxy(standardised, names), kind="stable")
    groups = [standardised[rows] for rows in np.array_split(order, states)]
    means = np.array([group.mean(axis=0) for group in groups])
    covars = np.array([_covariance(group) for group in groups])
    return Start("quantile", _sticky(np.full(states, QUANTILE_STICKY)), means, covars)


def _volatility_proxy(standardised: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float64]:
    if VOLATILITY_FEATURE in names:
        return standardised[:, names.index(VOLATILITY_FEATURE)]
    if RETURN_FEATURE in names:
        return np.abs(standardised[:, names.index(RETURN_FEATURE)])
    return standardised[:, 0]


def _random_start(standardised: NDArray[np.float64], states: int, generator: np.random.Generator) -> Start:
    """Start from means at rows drawn without replacement, the whole covariance, persistences drawn from `STICKY`."""
    rows = generator.choice(len(standardised), size=states, replace=False)
    transmat = _sticky(generator.uniform(*STICKY, size=states))
    covars = np.repeat(_covariance(standardised)[None], states, axis=0)
    return Start("random", transmat, standardised[rows], covars)


def _sticky(persistences: NDArray[np.float64]) -> NDArray[np.float64]:
    states = len(persistences)
    others = np.repeat((1.0 - persistences)[:, None] / (states - 1), states, axis=1)
    np.fill_diagonal(others, persistences)
    return others


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    features = rows.shape[1]
    return np.cov(rows.T).reshape(features, features) + START_RIDGE * np.eye(features)
