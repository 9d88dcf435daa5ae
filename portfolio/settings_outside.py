"""Settings of what lies outside: the services asked, how patiently, when the flows run, and where backups go."""

from __future__ import annotations

from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

# From the moment closes are known (portfolio.sessions.KNOWN_FROM) to well before Paris opens at 9.
EARLIEST_DAY, LATEST_DAY = time(6, 5), time(8, 45)
# The clocks change between 2 and 3: a time in that hour happens twice in one night and not at all in another.
NIGHT_FROM, NIGHT_TO = time(2, 0), time(3, 0)


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        message = "must be an http:// or https:// address without query, http://127.0.0.1:8900 say"
        raise ValueError(message)
    if parts.username or parts.password:
        message = "must not carry a user or password: it is shown in messages"
        raise ValueError(message)
    return value.rstrip("/")


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError as error:
        message = "must be an IP address of this machine, 127.0.0.1 say"
        raise ValueError(message) from error


def _uuid(value: SecretStr) -> SecretStr:
    try:
        return SecretStr(str(UUID(value.get_secret_value())))  # as pings spell it, so that logs know it by
    except ValueError:
        message = "must be the check's UUID, as its page shows it: 8-4-4-4-12 hexadecimal digits"
        raise ValueError(message) from None  # the cause would show the value


def _clock_time(value: str) -> str:
    try:
        read = time.fromisoformat(value)
    except ValueError as error:
        message = "must be a time of day, 07:30 say"
        raise ValueError(message) from error
    if read.second or read.microsecond or read.tzinfo:
        message = "must be hours and minutes of Paris, 07:30 say"
        raise ValueError(message)
    return f"{read:%H:%M}"


def _before_the_open(value: str) -> str:
    if not EARLIEST_DAY <= time.fromisoformat(value) <= LATEST_DAY:
        message = (
            f"must lie between {EARLIEST_DAY:%H:%M} (yesterday's closes are known) and {LATEST_DAY:%H:%M} "
            "(Paris opens at 09:00)"
        )
        raise ValueError(message)
    return value


def _not_when_clocks_change(value: str) -> str:
    if NIGHT_FROM <= time.fromisoformat(value) < NIGHT_TO:
        message = "must not lie between 02:00 and 03:00, where an hour lacks or repeats when the clocks change"
        raise ValueError(message)
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]
Address = Annotated[str, AfterValidator(_address)]
CheckId = Annotated[SecretStr, AfterValidator(_uuid)]
Morning = Annotated[str, AfterValidator(_clock_time), AfterValidator(_before_the_open)]
TimeOfDay = Annotated[str, AfterValidator(_clock_time), AfterValidator(_not_when_clocks_change)]


def setting(name: str, default: Any, description: str, **rules: Any) -> Any:  # noqa: ANN401  # pydantic's Field is typed so
    """Declare a setting by the name a person writes."""
    return Field(default, alias=name, description=description, **rules)


class OutsideSettings(BaseSettings):
    """The part of the settings that concerns other services and machines."""

    # The live source
    fred_api_key: Annotated[SecretStr, Field(min_length=1)] | None = setting(
        "FRED_API_KEY", None, "Key of FRED's API, for the optional macro series of the live source."
    )
    yahoo_url: WebAddress | None = setting(
        "PORTFOLIO_YAHOO_URL", None, "An address that stands in for all of Yahoo's hosts."
    )
    fred_url: WebAddress = setting("PORTFOLIO_FRED_URL", "https://api.stlouisfed.org/fred", "Where FRED answers.")
    fetch_timeout_s: Annotated[float, Field(ge=0.1, le=120, allow_inf_nan=False)] = setting(
        "PORTFOLIO_FETCH_TIMEOUT_S", 20.0, "Longest wait for one answer of a source, seconds."
    )
    fetch_attempts: Annotated[int, Field(ge=1, le=10)] = setting(
        "PORTFOLIO_FETCH_ATTEMPTS", 4, "How often one request is tried when its fault may pass."
    )
    fetch_backoff_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = setting(
        "PORTFOLIO_FETCH_BACKOFF_S", 2.0, "First wait before another try, seconds; doubled each time, with jitter."
    )

    # The daemon
    day_at: Morning = setting("PORTFOLIO_DAY_AT", "07:30", "When the day's flows start on sessions, Paris time.")
    backup_at: TimeOfDay = setting("PORTFOLIO_BACKUP_AT", "22:15", "When the nightly backup starts, Paris time.")
    backup_dir: Path | None = setting(
        "PORTFOLIO_BACKUP_DIR", None, "Folder of backups, on another disk at best; else `backups` beside the store."
    )
    prefect_api_url: WebAddress | None = setting(
        "PREFECT_API_URL", None, "Prefect's API, for health; else that of `make up`."
    )
    healthcheck_uuid: CheckId | None = setting(
        "HEALTHCHECK_UUID", None, "Check of a dead-man's switch (healthchecks.io) that each day pings."
    )
    healthchecks_url: WebAddress = setting("PORTFOLIO_HEALTHCHECKS_URL", "https://hc-ping.com", "Where pings go.")

    # The web service and the release it belongs to
    web_host: Address = setting(
        "PORTFOLIO_WEB_HOST", "127.0.0.1", "Address `portfolio serve` listens on, unless systemd hands it a socket."
    )
    web_port: Annotated[int, Field(ge=0, le=65535)] = setting(
        "PORTFOLIO_WEB_PORT", 8080, "Its port; 0 is any free one, which it tells."
    )
    slot: Literal["blue", "green"] | None = setting(
        "PORTFOLIO_SLOT", None, "Slot of the release this process belongs to; set by its unit."
    )
    release_state: Path = setting(
        "PORTFOLIO_RELEASE_STATE", Path("/var/lib/portfolio-release"), "Where the release tool keeps its history."
    )
