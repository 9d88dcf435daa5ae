"""The names of the states, and the order behind them: by volatility, calm first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RETURN_FEATURE = "return_log_1d"
LABELS: dict[int, tuple[str, ...]] = {2: ("calm", "stressed"), 3: ("calm", "neutral", "stressed")}


def state_volatilities(
    covars: NDArray[np.float64], scale: NDArray[np.float64], feature_names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return the volatility by which the states are ordered.

    Parameters
    ----------
    covars : (n_states, n_features, n_features) covariances of the standardised features.
    scale : (n_features,) standard deviations that standardised them.
    feature_names : names of the features, in the order of the columns.

    Returns
    -------
    (n_states,) array
        Daily standard deviation of `return_log_1d` in each state; where the model doesn't read that feature, the root
        of the trace of the state's covariance (no unit).
    """
    if RETURN_FEATURE in feature_names:
        column = feature_names.index(RETURN_FEATURE)
        return np.sqrt(covars[:, column, column]) * scale[column]
    return np.sqrt(np.trace(covars, axis1=1, axis2=2))
