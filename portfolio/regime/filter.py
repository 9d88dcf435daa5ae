"""The forward filter: the probability of each state at t, given the features up to t and nothing later."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pandas as pd

from portfolio.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from portfolio.regime.model import RegimeModel

LOG_TWO_PI = math.log(2 * math.pi)


def filter_probabilities(model: RegimeModel, features: pd.DataFrame) -> pd.DataFrame:
    """Return the filtered probability of each state on each session.

    Parameters
    ----------
    model
        A fitted model, its scaler included.
    features
        float64, columns `model.feature_names` in that order, in their natural units (not standardised); index
        sessions, increasing. The chain starts at the first row with `model.startprob_`: give the table from the start
        of the model's fit window to reproduce its own history.

    Returns
    -------
    DataFrame
        float64, index `features.index`, columns `model.labels`; P(state at t | features of rows up to t). Values lie
        in [0, 1] and each row sums to 1 up to rounding.

    Raises
    ------
    ModelError
        Other columns or another order, no row, NaN or infinity, or a value so far out that no state has a density.

    Notes
    -----
    Look-ahead: row t depends on rows up to t only, to the byte; nothing is ever summed over sessions, and there is no
    backward pass. NaN rule: none is allowed, the feature table has none. Logarithms keep an observation of any size
    from underflowing.

    Source: Rabiner (1989), "A tutorial on hidden Markov models", Proc. IEEE 77(2), eqs. (19)-(20), normalised at each
    step; the normalised form is the filter of Hamilton (1989), Econometrica 57(2), and is told apart from smoothing in
    Zucchini, MacDonald & Langrock (2016), "Hidden Markov Models for Time Series", 2nd ed., chapter 5.
    """
    log_filtered, _ = _forward(model, log_densities(model, features))
    return pd.DataFrame(np.exp(log_filtered), index=features.index, columns=list(model.labels))


def log_likelihood(model: RegimeModel, features: pd.DataFrame) -> float:
    """Return the log-likelihood of the standardised features, in nats.

    Parameters, NaN rule and errors are those of `filter_probabilities`. It is the sum over rows of the log density of
    row t given the rows before it, and equals hmmlearn's `score` of the standardised features. The natural units'
    likelihood is this minus n_rows * sum(ln scale_). Source: Rabiner (1989), eq. (21), with scaling eq. (103).
    """
    _, increments = _forward(model, log_densities(model, features))
    return math.fsum(increments)


def most_likely_states(model: RegimeModel, features: pd.DataFrame) -> NDArray[np.intp]:
    """Return the position in `model.labels` of the state with the greatest filtered probability, per row.

    The first one (the calmer) at a tie. Arguments, rules and errors are those of `filter_probabilities`.
    """
    return filter_probabilities(model, features).to_numpy().argmax(axis=1)


def log_densities(model: RegimeModel, features: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log density of each row under each state.

    Parameters
    ----------
    model, features
        As for `filter_probabilities`.

    Returns
    -------
    (n_rows, n_states) array
        ln N(z_t; means_, covars_), z the standardised features, by forward substitution with the Cholesky factor.
        Written as elementwise steps, column by column: a matrix product may add in another order, and so give
        another last digit, when more rows follow.

    Raises
    ------
    ModelError
        As for `filter_probabilities`.
    """
    values = _ensure_features(model, features)
    columns = [(values[:, i] - model.mean_[i]) / model.scale_[i] for i in range(values.shape[1])]
    densities = np.empty((len(values), len(model.labels)))
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        for state, (mean, covariance) in enumerate(zip(model.means_, model.covars_, strict=True)):
            densities[:, state] = _log_normal(columns, mean, np.linalg.cholesky(covariance))
    densities[np.isnan(densities)] = -np.inf  # infinity minus infinity, on the way to an infinite distance
    impossible = ~np.isfinite(densities).any(axis=1)
    if impossible.any():
        row = int(impossible.argmax())
        _refuse(
            f"{values[row].tolist()} on {features.index[row]} has no density in any state", "check that day's prices"
        )
    return densities


def _log_normal(
    columns: list[NDArray[np.float64]], mean: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log density of a Gaussian whose covariance is factor @ factor.T."""
    solved: list[NDArray[np.float64]] = []
    squares = np.zeros_like(columns[0])
    log_root_determinant = 0.0
    for i, column in enumerate(columns):
        rest = column - mean[i]
        for j, known in enumerate(solved):
            rest = rest - factor[i, j] * known
        solved.append(rest / factor[i, i])
        squares = squares + solved[i] * solved[i]
        log_root_determinant += math.log(factor[i, i])
    return -0.5 * (len(columns) * LOG_TWO_PI + squares) - log_root_determinant


def _forward(model: RegimeModel, densities: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[float]]:
    """Normalised forward pass: log filtered probabilities, and the log density of each row given those before."""
    filtered = np.empty_like(densities)
    increments: list[float] = []
    with np.errstate(divide="ignore"):  # ln 0 = -inf is what is meant
        predicted = np.log(model.startprob_)
        transitions = np.log(model.transmat_)
        for t, density in enumerate(densities):
            joint = predicted + density
            increments.append(_log_sum_exp(joint))
            filtered[t] = joint - increments[-1]
            paths = filtered[t][:, None] + transitions
            highest = paths.max(axis=0)
            highest[highest == -np.inf] = 0.0  # a state that cannot be reached: ln 0 below, not NaN
            predicted = highest + np.log(np.exp(paths - highest).sum(axis=0))
    return filtered, increments


def _log_sum_exp(logs: NDArray[np.float64]) -> float:
    top = float(logs.max())
    if top == -math.inf:
        _refuse("a row has no density in any state that can be reached", "fit a new model (`portfolio run` does)")
    return top + math.log(np.exp(logs - top).sum())


def _ensure_features(model: RegimeModel, features: pd.DataFrame) -> NDArray[np.float64]:
    if tuple(features.columns) != model.feature_names:
        seen = ", ".join(features.columns.astype(str))
        _refuse(
            f"its columns must be {', '.join(model.feature_names)} in that order; seen {seen}",
            "set the features the model was fitted on, or fit a new one (`portfolio run` does)",
        )
    values = np.asarray(features, dtype=np.float64)
    if not len(values):
        _refuse("it has no row, at least one is needed", "fetch prices first")
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        _refuse(f"{values[row].tolist()} on {features.index[row]} is not finite", "leave out or mend that day")
    return values


def _refuse(what: str, to_do: str) -> NoReturn:
    message = f"The feature table cannot be filtered: {what}. To do: {to_do}."
    raise ModelError(message)
