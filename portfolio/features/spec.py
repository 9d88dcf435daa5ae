"""Which features exist, what each is built from, and which of them a model reads."""

from __future__ import annotations

from dataclasses import dataclass

from portfolio.errors import SettingsError

PRICE_FEATURES = ("return_log_1d", "log_vol_21d")
# Series a macro feature is built from; slope is the first minus the second.
MACRO_FEATURES: dict[str, tuple[str, ...]] = {
    "vix": ("VIXCLS",),
    "slope": ("DGS10", "DGS2"),
    "baa10y": ("BAA10Y",),
}
FEATURE_NAMES = (*PRICE_FEATURES, *MACRO_FEATURES)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features of a model, in the order of their columns, and the index series they are built from."""

    drivers: tuple[str, ...]
    names: tuple[str, ...] = PRICE_FEATURES

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in FEATURE_NAMES]
        if unknown:
            message = f"Feature {unknown[0]!r} does not exist: choose from {', '.join(FEATURE_NAMES)}."
            raise SettingsError(message)
        for kind, values in (("features", self.names), ("drivers", self.drivers)):
            if not values or len(set(values)) != len(values):
                message = f"The {kind} must be at least one and each named once; seen {list(values)}: mend the list."
                raise SettingsError(message)

    @property
    def macro_series(self) -> tuple[str, ...]:
        """Macro series that have to be known for these features."""
        return tuple(series for name in self.names for series in MACRO_FEATURES.get(name, ()))
