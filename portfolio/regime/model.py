"""A fitted regime model as a value: checked when made, never changed after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from portfolio.errors import ModelError
from portfolio.regime.labels import LABELS, state_volatilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ID_DIGITS = 12  # 48 bits: two models of one store never share an id
PROBABILITY_ROUNDING = 1e-9  # sums of probabilities are off by some 1e-16; more is damage
ARRAYS = ("mean_", "scale_", "startprob_", "transmat_", "means_", "covars_")
TO_DO = "fit it again (`portfolio run` does)"


@dataclass(frozen=True, eq=False)
class RegimeModel:
    """Gaussian hidden Markov model with its scaler and its state order.

    `drivers` are the index series whose features it was fitted on: scaler and states belong to them.
    `means_` and `covars_` are in units of the standardised features, (x - mean_) / scale_. States stand in the order of
    `labels`, by increasing volatility. `log_likelihood` is that of the standardised features of the fit window.
    Raises ModelError when the parts don't fit each other or are no probabilities or covariances.
    """

    drivers: tuple[str, ...]
    feature_names: tuple[str, ...]
    labels: tuple[str, ...]
    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    startprob_: NDArray[np.float64]
    transmat_: NDArray[np.float64]
    means_: NDArray[np.float64]
    covars_: NDArray[np.float64]
    fit_start: date
    fit_end: date
    fit_rows: int
    data_hash: str
    log_likelihood: float

    def __post_init__(self) -> None:
        for name in ARRAYS:
            values = np.array(getattr(self, name), dtype=np.float64, order="C")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        _ensure_sound(self)

    @cached_property
    def model_id(self) -> str:
        """Name made from the content, so that the same name is always the same model."""
        return f"hmm-{hashlib.sha256(model_bytes(self)).hexdigest()[:ID_DIGITS]}"

    @property
    def volatilities(self) -> NDArray[np.float64]:
        """Volatility of each state, see `state_volatilities`."""
        return state_volatilities(self.covars_, self.scale_, self.feature_names)

    @property
    def expected_durations(self) -> NDArray[np.float64]:
        """Mean stay in each state in sessions, 1 / (1 - p_ii): Rabiner (1989), eq. (5)."""
        with np.errstate(divide="ignore"):  # a state that is never left lasts for ever
            return 1.0 / (1.0 - np.diag(self.transmat_))

    def reads_like(self, other: RegimeModel) -> bool:
        """Whether both read the same columns and name the same states, so that their answers can be compared."""
        return (self.drivers, self.feature_names, self.labels) == (other.drivers, other.feature_names, other.labels)


def model_bytes(model: RegimeModel) -> bytes:
    """Write a model as canonical JSON; numbers round-trip to the bit (shortest repr)."""
    content: dict[str, Any] = {
        "kind": "gaussian-hmm-1",
        "drivers": list(model.drivers),
        "feature_names": list(model.feature_names),
        "labels": list(model.labels),
        "fit_start": model.fit_start.isoformat(),
        "fit_end": model.fit_end.isoformat(),
        "fit_rows": model.fit_rows,
        "data_hash": model.data_hash,
        "log_likelihood": model.log_likelihood,
    }
    content |= {name: getattr(model, name).tolist() for name in ARRAYS}
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode("ascii") + b"\n"


def model_from(content: Mapping[str, Any]) -> RegimeModel:
    """Make a model from the content `model_bytes` wrote.

    Raises KeyError, TypeError or ValueError for a part that is missing or of another type, ModelError for one that
    breaks a rule.
    """
    return RegimeModel(
        drivers=tuple(str(symbol) for symbol in content["drivers"]),
        feature_names=tuple(str(name) for name in content["feature_names"]),
        labels=tuple(str(label) for label in content["labels"]),
        fit_start=date.fromisoformat(content["fit_start"]),
        fit_end=date.fromisoformat(content["fit_end"]),
        fit_rows=int(content["fit_rows"]),
        data_hash=str(content["data_hash"]),
        log_likelihood=float(content["log_likelihood"]),
        **{name: np.array(content[name], dtype=np.float64) for name in ARRAYS},
    )


def _ensure_sound(model: RegimeModel) -> None:
    """Raise ModelError for the first rule that a model breaks."""
    _ensure_shapes(model)
    if not (model.scale_ > 0).all():
        _refuse("scale_", "positive", model.scale_.tolist())
    if not np.isfinite(model.log_likelihood) or model.fit_start > model.fit_end or model.fit_rows < 1:
        _refuse("fit window and log_likelihood", "a window in order and a finite number", model.log_likelihood)
    for row in (model.startprob_, *model.transmat_):
        if (row < 0).any() or abs(row.sum() - 1) > PROBABILITY_ROUNDING:
            _refuse("startprob_ and each row of transmat_", "probabilities that sum to 1", row.tolist())
    _ensure_covariances(model)


def _ensure_shapes(model: RegimeModel) -> None:
    states, features = len(model.labels), len(model.feature_names)
    if LABELS.get(states) != model.labels:
        _refuse("labels", f"one of {list(LABELS.values())}", model.labels)
    if not features or len(set(model.feature_names)) != features:
        _refuse("feature_names", "at least one and each once", model.feature_names)
    shapes = ((features,), (features,), (states,), (states, states), (states, features), (states, features, features))
    for name, shape in zip(ARRAYS, shapes, strict=True):
        values = getattr(model, name)
        if values.shape != shape or not np.isfinite(values).all():
            _refuse(name, f"finite numbers of shape {shape}", values.tolist())


def _ensure_covariances(model: RegimeModel) -> None:
    for covariance in model.covars_:
        symmetric = np.allclose(covariance, covariance.T, rtol=1e-9, atol=0)
        if not symmetric or np.linalg.eigvalsh(covariance)[0] <= 0:
            _refuse("covars_", "symmetric and positive definite", covariance.tolist())
    if (np.diff(model.volatilities) < 0).any():
        _refuse("states", "in the order of increasing volatility", model.volatilities.tolist())


def _refuse(name: str, rule: str, seen: object) -> NoReturn:
    message = f"Regime model: {name} must be {rule}; seen {seen}. The model cannot be used: {TO_DO}."
    raise ModelError(message)
