"""Fitting a regime model: many starts of EM, the best one, its states put in order, its gates judged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portfolio.errors import ModelError
from portfolio.regime.em import Parameters, StartResult, run_em
from portfolio.regime.gates import GateResult, Search, check_gates
from portfolio.regime.labels import LABELS, state_volatilities
from portfolio.regime.model import RegimeModel
from portfolio.regime.starts import can_warm, make_starts, warm_start

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from portfolio.regime.spec import FitSpec

# A year: the relabelling gate looks at 250 sessions, and a model of less has seen one regime at most.
MINIMUM_ROWS = 252
# Starts that reach the same optimum end within some 1e-6 nats of each other by where EM stopped; the order of such
# ends is rounding, which another processor would do otherwise. Different optima lie whole nats apart.
TIE_NATS = 1e-3


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model, what became of each start, and whether it may be trusted."""

    model: RegimeModel
    gates: tuple[GateResult, ...]
    starts: tuple[StartResult, ...]
    spec: FitSpec

    @property
    def passed(self) -> bool:
        """Whether every gate was passed."""
        return all(gate.passed for gate in self.gates)


def fit_model(features: pd.DataFrame, spec: FitSpec, warm: RegimeModel | None = None) -> Fit:
    """Fit a Gaussian hidden Markov model and judge it.

    Parameters
    ----------
    features
        float64 table of `build_features`, natural units, index sessions, increasing. The fit window is all of it, or
        its last `spec.window_sessions` rows (all when there are fewer).
    spec
        Number of states, starts, seed, window, limits of the gates.
    warm
        The champion in force, if any: one start begins from it, and the new model's states are compared with its.
        One that reads other features or has another number of states is left aside.

    Returns
    -------
    Fit
        The model of the start with the greatest likelihood among those that converged (among all that ended when
        none did, and then the gate `converged` fails); ends within .001 nat are a tie, and the first one counts. The
        scaler is the window's mean and standard deviation (ddof = 0). States are in the order of increasing
        volatility of `return_log_1d`.

    Raises
    ------
    ModelError
        Fewer than 252 rows, NaN or infinity, a feature that never varies, or a numerical failure of every start.

    Notes
    -----
    Look-ahead: the model knows all rows of its window and must not be used for decisions before `fit_end`. NaN rule:
    none is allowed. Determinism: the same table, spec and champion give the same bytes and so the same `model_id` on
    the same machine and libraries; BLAS and OpenMP are held to one thread, which is also the fast choice here (the
    matrices are small; on a busy host with two cores the default was 40 times slower). OMP_NUM_THREADS=1 and
    OPENBLAS_NUM_THREADS=1 in the environment do the same for a whole process.

    Source: Rabiner (1989), "A tutorial on hidden Markov models", Proc. IEEE 77(2), section III.C (Baum-Welch), by
    hmmlearn.
    """
    # Imported here, as hmmlearn is: filtering with an existing model needs neither.
    import hmmlearn.hmm  # noqa: F401, PLC0415  # loads the libraries whose threads are limited next
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  # see above

    window = features.iloc[-spec.window_sessions :] if spec.window_sessions else features
    values = _ensure_window(window)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    standardised = (values - mean) / scale
    names = tuple(window.columns)
    champion = warm if warm is not None and can_warm(warm, names, spec.states) else None
    first = warm_start(champion, mean, scale) if champion is not None else None
    with threadpool_limits(limits=1):
        ends = [run_em(standardised, start, spec) for start in make_starts(standardised, names, spec, first)]
        best, parameters = _best(ends)
        model = _ordered_model(parameters, window, mean, scale, spec.drivers)
        results = tuple(result for result, _ in ends)
        gates = check_gates(model, features, Search(best, results), spec.gates, champion)
    return Fit(model, gates, results, spec)


def hash_features(features: pd.DataFrame) -> str:
    """Return the SHA-256 of a feature table: its column names, its days and every bit of its values."""
    digest = hashlib.sha256("\n".join(features.columns).encode())
    digest.update("\n".join(day.isoformat() for day in features.index).encode())
    digest.update(np.ascontiguousarray(features.to_numpy(np.float64), dtype="<f8").tobytes())
    return digest.hexdigest()


def _best(ends: list[tuple[StartResult, Parameters | None]]) -> tuple[StartResult, Parameters]:
    """Return the first end within TIE_NATS of the greatest likelihood, of converged starts when there are any."""
    usable = [(result, found) for result, found in ends if found is not None]
    if not usable:
        message = (
            f"Regime model: all {len(ends)} starts failed numerically, one must end; the last said "
            f"{ends[-1][0].failure!r}. Check the prices for constant stretches, or take fewer states or features."
        )
        raise ModelError(message)
    settled = [end for end in usable if end[0].converged] or usable
    highest = max(found.log_likelihood for _, found in settled)
    return next(end for end in settled if end[1].log_likelihood >= highest - TIE_NATS)


def _ordered_model(
    found: Parameters,
    window: pd.DataFrame,
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    drivers: tuple[str, ...],
) -> RegimeModel:
    names = tuple(window.columns)
    order = np.argsort(state_volatilities(found.covars, scale, names), kind="stable")
    return RegimeModel(
        drivers=drivers,
        feature_names=names,
        labels=LABELS[len(order)],
        mean_=mean,
        scale_=scale,
        startprob_=found.startprob[order],
        transmat_=found.transmat[np.ix_(order, order)],
        means_=found.means[order],
        covars_=found.covars[order],
        fit_start=window.index[0].date(),
        fit_end=window.index[-1].date(),
        fit_rows=len(window),
        data_hash=hash_features(window),
        log_likelihood=found.log_likelihood,
    )


def _ensure_window(window: pd.DataFrame) -> NDArray[np.float64]:
    values = np.asarray(window, dtype=np.float64)
    if len(values) < MINIMUM_ROWS:
        message = f"Regime model: at least {MINIMUM_ROWS} sessions are needed to fit, {len(values)} given: fetch more."
        raise ModelError(message)
    if not np.isfinite(values).all():
        message = (
            "Regime model: the feature table holds NaN or infinity, every value must be finite: leave such rows out."
        )
        raise ModelError(message)
    constant = window.columns[values.max(axis=0) == values.min(axis=0)]
    if len(constant):
        message = f"Regime model: feature {constant[0]} never varies and cannot be standardised: leave it out."
        raise ModelError(message)
    return values
