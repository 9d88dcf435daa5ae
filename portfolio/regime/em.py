"""One run of EM by hmmlearn, from one start to an outcome that may be a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from portfolio.regime.spec import FitSpec
    from portfolio.regime.starts import Start

# A state whose covariance has an eigenvalue below this (the standardised features have variance 1) sits on a few equal
# rows, where the likelihood grows without bound: not a better fit but a collapse. Real states have .1 and more.
SMALLEST_EIGENVALUE = 1e-6
# What EM may lose by rounding in one iteration, in nats; hmmlearn itself uses the square root of the machine epsilon.
ROUNDING_NATS = 1.5e-8


@dataclass(frozen=True, slots=True)
class Parameters:
    """What EM learned, states in the order of the start, and the log-likelihood it reached, in nats."""

    log_likelihood: float
    startprob: NDArray[np.float64]
    transmat: NDArray[np.float64]
    means: NDArray[np.float64]
    covars: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StartResult:
    """What became of one start; `failure` is "" when it ended with usable parameters."""

    kind: str
    log_likelihood: float | None
    iterations: int
    converged: bool
    failure: str = ""


def run_em(standardised: NDArray[np.float64], start: Start, spec: FitSpec) -> tuple[StartResult, Parameters | None]:
    """Run EM from one start; a numerical failure is a result, not an exception.

    The result is a function of its arguments alone when one BLAS thread is used: the caller sees to that.
    """
    # Imported here: filtering with an existing model must not wait 1.7 s for scikit-learn.
    from hmmlearn.hmm import GaussianHMM  # noqa: PLC0415  # see above

    machine = GaussianHMM(
        n_components=spec.states,
        covariance_type="full",
        # hmmlearn adds `covars_prior` (default .01) to every element of each state's scatter, the off-diagonal ones
        # too, and would draw covariances of small features towards it; 0 makes the M step plain maximum likelihood.
        # Collapsing states, against which a prior would guard, are found by SMALLEST_EIGENVALUE and the gates.
        covars_prior=0.0,
        # `min_covar` (default .001, ten times a daily return's variance) only widens the covariances hmmlearn itself
        # starts from; ours are given, and 0 says that nothing may be widened.
        min_covar=0.0,
        n_iter=spec.max_iterations,
        tol=spec.tolerance_nats,
        init_params="",  # every parameter is set below
    )
    try:
        machine.startprob_, machine.transmat_ = start.startprob, start.transmat
        machine.means_, machine.covars_ = start.means, start.covars
        # A division by zero or NaN is an empty state: an end, not a warning.
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            machine.fit(standardised)
            score = float(machine.score(standardised))
    except (ValueError, FloatingPointError) as error:  # LinAlgError is a ValueError
        return StartResult(start.kind, None, machine.monitor_.iter, converged=False, failure=str(error)), None
    found = Parameters(score, machine.startprob_, machine.transmat_, machine.means_, machine.covars_)
    iterations = machine.monitor_.iter
    failure = _collapse(found)
    if failure:
        return StartResult(start.kind, None, iterations, converged=False, failure=failure), None
    settled = has_settled(list(machine.monitor_.history), spec.tolerance_nats)
    return StartResult(start.kind, score, iterations, converged=settled), found


def has_settled(history: list[float], tolerance_nats: float) -> bool:
    """Tell whether the last iteration gained less than the tolerance, and lost nothing but rounding.

    hmmlearn's own `converged` is true as well when the iterations ran out, and when the likelihood fell.
    """
    if len(history) < 2:  # noqa: PLR2004  # a gain needs two values
        return False
    return -ROUNDING_NATS <= history[-1] - history[-2] < tolerance_nats


def _collapse(found: Parameters) -> str:
    values = (found.startprob, found.transmat, found.means, found.covars)
    finite = np.isfinite(found.log_likelihood) and all(np.isfinite(array).all() for array in values)
    if not finite or not np.allclose(found.transmat.sum(axis=1), 1.0):
        return "a parameter is not finite, or a state is never visited but on the last day"
    smallest = float(np.linalg.eigvalsh(found.covars).min())
    if smallest < SMALLEST_EIGENVALUE:
        return f"a state collapsed: smallest eigenvalue of its covariance {smallest:.1e}"
    return ""
