"""Settings: the only reader of environment, credentials and settings files.

Comes in, highest first: command line, environment, systemd credentials, `.env`, `portfolio.toml`, defaults.
Goes out: one frozen record, checked once at the start. Never: a secret's value in a message or a listing.
"""

from __future__ import annotations

import math
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as SourceParsingError,
)

from portfolio.allocation.policy import DEFAULT_TABLES, Policy
from portfolio.errors import SettingsError
from portfolio.settings_files import (
    ENV_FILE,
    TOML_FILE,
    credentials_folder,
    ensure_files_readable,
    env_file_values,
    toml_values,
)
from portfolio.settings_outside import OutsideSettings, setting
from portfolio.settings_refusals import broken_rules, not_json

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_PREFIX = "PORTFOLIO_"
NO_SETTINGS = frozenset({"PORTFOLIO_LOCK_FD"})  # from one process of ours to another

SHORTEST_WINDOW = 252  # as portfolio.regime.hmm has it

Source = Literal["sample", "live"]
FeatureName = Literal["return_log_1d", "log_vol_21d", "vix", "slope", "baa10y"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
WeightTable = dict[str, Fraction]


class Settings(OutsideSettings):
    """Everything that can be set; the alias is the name a person writes."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        toml_file=TOML_FILE,
        extra="ignore",
        frozen=True,
        populate_by_name=False,
        hide_input_in_errors=True,
    )

    # Where things live
    source: Source = setting(
        "PORTFOLIO_SOURCE", "sample", "Where prices come from; each source has a store of its own."
    )
    data_dir: Path = setting("DATA_DIR", Path("data"), "Folder of stores, models and pages, seen from the current one.")
    duckdb_file: Path | None = setting(
        "DUCKDB_FILE", None, "A store's file of your own; its models and page go beside it."
    )
    universe_file: Path | None = setting("PORTFOLIO_UNIVERSE_FILE", None, "A universe of your own.")
    hmm_model_path: Path | None = setting(
        "HMM_MODEL_PATH", None, "A model's folder that overrides the champion; it is only read."
    )

    # The account and its limits
    initial_cash: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2, allow_inf_nan=False)] = setting(
        "INITIAL_CASH", Decimal(10_000), "EUR that an empty ledger starts from."
    )
    max_single_position: Fraction = setting("MAX_SINGLE_POSITION", 0.40, "Largest weight of one line (cash is exempt).")
    max_leveraged_exposure: Fraction = setting("MAX_LEVERAGED_EXPOSURE", 0.30, "Largest weight of all leveraged ETFs.")
    min_cash_buffer: Fraction = setting("MIN_CASH_BUFFER", 0.10, "Smallest weight of cash.")
    fee_rate: Annotated[Decimal, Field(ge=0, le=Decimal("0.05"), allow_inf_nan=False)] = setting(
        "PORTFOLIO_FEE_RATE", Decimal("0.005"), "Fee of an order as a part of its amount; 0.5 % is the PEA law's cap."
    )
    fee_minimum_eur: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2, allow_inf_nan=False)] = setting(
        "PORTFOLIO_FEE_MINIMUM_EUR", Decimal(0), "Smallest fee of an order, EUR."
    )

    # The regime
    features: Annotated[tuple[FeatureName, ...], NoDecode, Field(min_length=1)] = setting(
        "PORTFOLIO_FEATURES", ("return_log_1d", "log_vol_21d"), "What the regime is read from, comma-separated."
    )
    states: Annotated[int, Field(ge=2, le=3)] = setting("PORTFOLIO_STATES", 2, "Number of regimes.")
    starts: Annotated[int, Field(ge=0, le=200)] = setting(
        "PORTFOLIO_STARTS", 0, "Starts of a fit; 0 is ten for 2 states and forty for 3."
    )
    seed: Annotated[int, Field(ge=0, le=999_999_999)] = setting(
        "PORTFOLIO_SEED", 20190102, "Seed of the random starts."
    )
    window_sessions: Annotated[int, Field(ge=0, le=20_000)] = setting(
        "PORTFOLIO_WINDOW_SESSIONS", 0, "Sessions a fit looks back over; 0 is all of them (expanding)."
    )
    refit_sessions: Annotated[int, Field(ge=1, le=2000)] = setting(
        "PORTFOLIO_REFIT_SESSIONS", 21, "Sessions after which a challenger is fitted and judged."
    )
    gate_min_occupancy: Fraction = setting("PORTFOLIO_GATE_MIN_OCCUPANCY", 0.05, "Each state's smallest share.")
    gate_max_stressed: Fraction = setting("PORTFOLIO_GATE_MAX_STRESSED", 0.60, "The stressed state's largest share.")
    gate_min_duration: Annotated[float, Field(ge=1, allow_inf_nan=False)] = setting(
        "PORTFOLIO_GATE_MIN_DURATION", 10.0, "Each state's smallest expected duration, sessions."
    )
    gate_min_vol_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = setting(
        "PORTFOLIO_GATE_MIN_VOL_RATIO", 1.5, "Smallest volatility ratio of the most stressed and the calmest state."
    )
    gate_max_relabelled: Fraction = setting(
        "PORTFOLIO_GATE_MAX_RELABELLED", 0.20, "Largest share of the last 250 sessions a challenger may relabel."
    )

    # The policy
    dwell_sessions: Annotated[int, Field(ge=0, le=250)] = setting(
        "PORTFOLIO_DWELL_SESSIONS", 5, "Sessions a target stands before it may change."
    )
    band: Fraction = setting("PORTFOLIO_BAND", 0.025, "Smallest change of the largest-moving line that is acted on.")
    weights_calm: WeightTable = setting(
        "PORTFOLIO_WEIGHTS_CALM", dict(DEFAULT_TABLES["calm"]), "Target weights in the calm regime, JSON."
    )
    weights_neutral: WeightTable = setting(
        "PORTFOLIO_WEIGHTS_NEUTRAL",
        dict(DEFAULT_TABLES["neutral"]),
        "Target weights without a trusted model, and in the middle of 3 regimes, JSON.",
    )
    weights_stressed: WeightTable = setting(
        "PORTFOLIO_WEIGHTS_STRESSED", dict(DEFAULT_TABLES["stressed"]), "Target weights in the stressed regime, JSON."
    )

    # Logs
    log_level: LogLevel = setting("LOG_LEVEL", "INFO", "Least severe log line that is kept.")
    log_file: Path | None = setting("LOG_FILE", None, "A JSON log file, rotated at 5 MB with five kept.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # replaced by systemd's credentials
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, highest first."""
        credentials = credentials_folder()
        secrets = [SecretsSettingsSource(settings_cls, secrets_dir=credentials)] if credentials else []
        return (init_settings, env_settings, *secrets, dotenv_settings, TomlConfigSettingsSource(settings_cls))

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            message = "must not be empty: give a value, or take the line out to have the default"
            raise ValueError(message)
        if isinstance(value, bool):
            message = "must not be true or false: no setting is a switch"
            raise ValueError(message)  # noqa: TRY004  # pydantic makes a message of it; a TypeError would be a crash
        return value

    @field_validator("features", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("duckdb_file")
    @classmethod
    def _no_published_copy(cls, value: Path | None) -> Path | None:
        if value and (not value.suffix or value.stem.endswith(".published")):
            message = "must be a file with an ending, portfolio.duckdb say, and no published copy, which is overwritten"
            raise ValueError(message)
        return value

    @field_validator("window_sessions")
    @classmethod
    def _window_is_all_or_a_year(cls, value: int) -> int:
        if 0 < value < SHORTEST_WINDOW:
            message = f"must be 0 (all) or at least {SHORTEST_WINDOW} sessions, which a fit needs"
            raise ValueError(message)
        return value

    @field_validator("starts")
    @classmethod
    def _starts_can_agree(cls, value: int) -> int:
        if value == 1:
            message = "must be 0 (the default number) or at least 2: a fit is trusted when two starts agree"
            raise ValueError(message)
        return value

    @field_validator("features")
    @classmethod
    def _volatility_orders_the_states(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "return_log_1d" not in value or len(set(value)) != len(value):
            message = (
                "must name each feature once and contain return_log_1d, by whose volatility the states are ordered"
            )
            raise ValueError(message)
        return value

    @field_validator("weights_calm", "weights_neutral", "weights_stressed")
    @classmethod
    def _weights_sum_to_one(cls, value: WeightTable) -> WeightTable:
        total = math.fsum(value.values())
        if abs(total - 1) > 1e-9:  # noqa: PLR2004  # room for the rounding of decimal fractions, nothing else
            message = f"must sum to 1 (CASH included); these weights sum to {total:.6f}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _limits_can_all_hold(self) -> Settings:
        for name in ("max_single_position", "max_leveraged_exposure"):
            limit = getattr(self, name)
            if limit + self.min_cash_buffer > 1 + 1e-9:
                message = (
                    f"{name.upper()} ({limit:g}) and MIN_CASH_BUFFER ({self.min_cash_buffer:g}) cannot both hold: "
                    "together they must not exceed 1; lower one of them"
                )
                raise ValueError(message)
        return self

    @property
    def policy(self) -> Policy:
        """The weight tables, dwell and band."""
        tables = {"calm": self.weights_calm, "neutral": self.weights_neutral, "stressed": self.weights_stressed}
        return Policy(tables, self.dwell_sessions, self.band)

    @property
    def state_dir(self) -> Path:
        """Folder of this store's models and page: no two stores share one, least of all sample and live."""
        if self.duckdb_file:
            return self.duckdb_file.absolute().with_suffix("")
        return (self.data_dir / self.source).absolute()

    @property
    def cache_dir(self) -> Path:
        """Folder of what may be lost at any time: the clients' own caches."""
        return self.state_dir / "cache"

    @property
    def backups_dir(self) -> Path:
        """Folder of this store's backups."""
        return (self.backup_dir / self.source).absolute() if self.backup_dir else self.state_dir / "backups"

    @property
    def page_path(self) -> Path:
        """The page of the newest decision."""
        return self.state_dir / "report" / "index.html"

    @property
    def store_path(self) -> Path:
        """The live store's file."""
        return self.duckdb_file.absolute() if self.duckdb_file else self.state_dir / "portfolio.duckdb"


def key_of(field: str) -> str:
    """Return the name a person writes for a field."""
    return str(Settings.model_fields[field].alias)


def known_keys() -> frozenset[str]:
    """Return every key that can be set."""
    return frozenset(key_of(field) for field in Settings.model_fields)


def is_secret(field: str) -> bool:
    """Tell whether a field's value must never be shown."""
    return SecretStr.__name__ in str(Settings.model_fields[field].annotation)


def secret_keys() -> frozenset[str]:
    """Return the keys whose values must never be shown."""
    return frozenset(key_of(field) for field in Settings.model_fields if is_secret(field))


def read_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read and check the settings; `overrides` (by key) come from the command line.

    Raises SettingsError naming every key that breaks a rule, the rule, the value seen and what to do.
    """
    ensure_files_readable()
    try:
        return Settings(**dict(overrides or {}))
    except ValidationError as error:
        raise SettingsError(broken_rules(error, known_keys(), secret_keys())) from error
    except SourceParsingError as error:
        field = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise SettingsError(not_json(key_of(field) if field else "a setting", known_keys(), secret_keys())) from error


def unknown_keys() -> tuple[str, ...]:
    """Name keys in `.env`, `portfolio.toml` or the environment (ours by prefix) that this release does not know."""
    ensure_files_readable()
    seen = set(env_file_values()) | set(toml_values())
    seen |= {key for key in os.environ if key.upper().startswith(OWN_PREFIX)} - NO_SETTINGS
    known = {key.upper() for key in known_keys()}
    return tuple(sorted(key for key in seen if key.upper() not in known))
