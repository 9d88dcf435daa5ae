"""How a model is fitted and what it must satisfy: the values settings choose."""

from __future__ import annotations

from dataclasses import dataclass, field

from portfolio.errors import SettingsError
from portfolio.regime.labels import LABELS

# 99 % of starts reach the optimum with two states; with three it is not unique, so that more are needed.
DEFAULT_STARTS = {2: 10, 3: 40}


@dataclass(frozen=True, slots=True)
class GateSpec:
    """Limits a fit must keep; docs/decisions/0004-regime-model-and-its-evidence.md has the reasons."""

    min_occupancy: float = 0.05
    max_stressed_occupancy: float = 0.60
    min_expected_duration_sessions: float = 10.0
    min_volatility_ratio: float = 1.5
    min_agreeing_starts: int = 2
    agreement_nats: float = 1.0
    max_relabelled: float = 0.20
    relabel_window_sessions: int = 250


@dataclass(frozen=True, slots=True)
class FitSpec:
    """How a model is fitted.

    `drivers` name the index series the features are built from; they are kept with the model.
    `starts` None means ten for two states and forty for three. `window_sessions` 0 means all rows (expanding window);
    a greater number means the last rows only. EM ends when an iteration gains less than `tolerance_nats`.
    """

    drivers: tuple[str, ...] = ()
    states: int = 2
    starts: int | None = None
    seed: int = 20_190_102  # any number would do; fixed, so that a fit can be repeated
    window_sessions: int = 0
    max_iterations: int = 1000
    # 1e-6 leaves all starts that reach the optimum within 1e-5 of its parameters; it costs a third more than 1e-4.
    tolerance_nats: float = 1e-6
    gates: GateSpec = field(default_factory=GateSpec)

    def __post_init__(self) -> None:
        rules = (
            (self.states in LABELS, "states", f"one of {sorted(LABELS)}", self.states),
            (self.starts is None or self.starts >= 1, "starts", "at least 1", self.starts),
            (self.seed >= 0, "seed", "not negative", self.seed),
            (self.window_sessions >= 0, "window_sessions", "0 (all) or a number of sessions", self.window_sessions),
            (self.max_iterations >= 2, "max_iterations", "at least 2", self.max_iterations),  # noqa: PLR2004  # a gain needs two
            (self.tolerance_nats > 0, "tolerance_nats", "above 0", self.tolerance_nats),
        )
        for holds, name, rule, seen in rules:
            if not holds:
                message = f"Fit setting {name} must be {rule}; seen {seen}: mend the setting."
                raise SettingsError(message)

    @property
    def number_of_starts(self) -> int:
        """Starts asked for, or the default for this number of states."""
        return DEFAULT_STARTS[self.states] if self.starts is None else self.starts
