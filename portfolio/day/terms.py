"""The terms a decision is taken under: from the settings, and back from the log for a replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from portfolio.allocation.limits import Limits
from portfolio.allocation.policy import Policy, ensure_policy
from portfolio.features.spec import FeatureSpec
from portfolio.orders.fees import FeeSchedule
from portfolio.regime.spec import FitSpec, GateSpec
from portfolio.sources.sample import LINES as SAMPLE_LINES
from portfolio.universe import Driver, Instrument, MacroSeries, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a decision depends on besides data, model, holdings and the target before it."""

    universe: Universe
    features: FeatureSpec
    policy: Policy
    limits: Limits
    priced: frozenset[str]  # lines that the source has a series for
    reconstructed: frozenset[str]

    @property
    def watched(self) -> Universe:
        """The universe without the lines that the source has no series for."""
        lines = tuple(item for item in self.universe.instruments if item.ticker in self.priced)
        return replace(self.universe, instruments=lines)

    @property
    def tradable(self) -> frozenset[str]:
        """Lines that may be targeted: they have a series, and a PEA may hold them."""
        return frozenset(item.ticker for item in self.watched.instruments if item.pea_eligible)

    @property
    def drivers(self) -> frozenset[str]:
        """Symbols without which there is no regime."""
        return frozenset(driver.symbol for driver in self.universe.drivers)

    @property
    def macro_wanted(self) -> frozenset[str]:
        """Macro series the features need."""
        return frozenset(self.features.macro_series)


def terms_of(settings: Settings, universe: Universe) -> Terms:
    """Take the terms from the settings.

    Raises SettingsError when a weight table names a ticker the universe does not have.
    """
    tickers = frozenset(universe.tickers)
    reconstructed = tickers & frozenset(SAMPLE_LINES) if settings.source == "sample" else frozenset()
    terms = Terms(
        universe=universe,
        features=FeatureSpec(tuple(driver.symbol for driver in universe.drivers), tuple(settings.features)),
        policy=settings.policy,
        limits=Limits(settings.max_single_position, settings.max_leveraged_exposure, settings.min_cash_buffer),
        priced=reconstructed if settings.source == "sample" else tickers,
        reconstructed=reconstructed,
    )
    ensure_policy(terms.policy, universe.tickers)
    return terms


def fit_spec_of(settings: Settings, universe: Universe) -> FitSpec:
    """Take the way models are fitted from the settings."""
    return FitSpec(
        drivers=tuple(driver.symbol for driver in universe.drivers),
        states=settings.states,
        starts=settings.starts or None,
        seed=settings.seed,
        window_sessions=settings.window_sessions,
        gates=GateSpec(
            min_occupancy=settings.gate_min_occupancy,
            max_stressed_occupancy=settings.gate_max_stressed,
            min_expected_duration_sessions=settings.gate_min_duration,
            min_volatility_ratio=settings.gate_min_vol_ratio,
            max_relabelled=settings.gate_max_relabelled,
        ),
    )


def fees_of(settings: Settings) -> FeeSchedule:
    """Take the fee schedule from the settings."""
    return FeeSchedule(rate=Decimal(settings.fee_rate), minimum_eur=Decimal(settings.fee_minimum_eur))


def terms_as_json(terms: Terms) -> dict[str, Any]:
    """Write the terms as plain JSON values, for the log."""
    return {
        "universe": {
            "instruments": [item.model_dump(mode="json") for item in terms.universe.instruments],
            "drivers": [item.model_dump(mode="json") for item in terms.universe.drivers],
            "macro": [item.model_dump(mode="json") for item in terms.universe.macro],
        },
        "features": list(terms.features.names),
        "tables": {label: dict(table) for label, table in terms.policy.tables.items()},
        "dwell_sessions": terms.policy.dwell_sessions,
        "band": terms.policy.band,
        "limits": {
            "max_single_position": terms.limits.max_single_position,
            "max_leveraged": terms.limits.max_leveraged,
            "min_cash": terms.limits.min_cash,
        },
        "priced": sorted(terms.priced),
        "reconstructed": sorted(terms.reconstructed),
    }


def terms_from_json(logged: Mapping[str, Any]) -> Terms:
    """Read the terms a logged decision was taken under."""
    universe = Universe(
        tuple(Instrument.model_validate(item) for item in logged["universe"]["instruments"]),
        tuple(Driver.model_validate(item) for item in logged["universe"]["drivers"]),
        tuple(MacroSeries.model_validate(item) for item in logged["universe"]["macro"]),
    )
    return Terms(
        universe=universe,
        features=FeatureSpec(tuple(driver.symbol for driver in universe.drivers), tuple(logged["features"])),
        policy=Policy(logged["tables"], logged["dwell_sessions"], logged["band"]),
        limits=Limits(**logged["limits"]),
        priced=frozenset(logged["priced"]),
        reconstructed=frozenset(logged["reconstructed"]),
    )
