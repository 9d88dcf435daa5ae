"""Every check, in the order in which a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portfolio.errors import StoreError
from portfolio.health.backups import check_backups
from portfolio.health.decision import check_findings, check_model, check_orders, check_signal, is_decided
from portfolio.health.expected import Calendars
from portfolio.health.files import check_disks, check_leftovers, check_live
from portfolio.health.flows import check_flows, read_flows
from portfolio.health.prefect_api import check_prefect, daemon_address
from portfolio.health.runs import RUNS_LOOKED_AT, check_runs
from portfolio.health.series import Reach, check_macro, check_prices, macro_reaches, price_reaches
from portfolio.health.verdict import Check, Status
from portfolio.store.backup import read_store_id
from portfolio.store.connection import open_reader
from portfolio.store.engine import wal_path
from portfolio.store.journal import read_runs
from portfolio.store.lock import read_holder
from portfolio.store.newest import newest_fetch, newest_macro_days, newest_price_days, recent_sessions
from portfolio.store.orders import read_orders
from portfolio.store.schema import read_identity
from portfolio.store.signals import read_signal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.settings import Settings
    from portfolio.store.connection import Store
    from portfolio.universe import Universe


@dataclass(frozen=True, slots=True)
class Health:
    """Every check's verdict, and how far each series reaches; none when the published copy does not open."""

    checks: tuple[Check, ...]
    series: tuple[Reach, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "checks": [check.as_dict() for check in self.checks],
            "series": [reach.as_dict() for reach in self.series],
        }


@dataclass(frozen=True, slots=True)
class _Published:
    """What the published copy told; the calendars are seen from the wall clock."""

    checks: tuple[Check, ...]
    series: tuple[Reach, ...] = ()
    calendars: Calendars | None = None
    store_id: str | None = None
    decided: bool = False


def check_health(settings: Settings, universe: Universe, now: datetime) -> Health:
    """Run every check; `now` is the wall clock, which the sample's data replace by their own newest fetch."""
    path, flows = settings.store_path, read_flows(settings.state_dir)
    published = _read_published(settings, universe, now, unattended=flows.used_since is not None)
    checks = (
        *published.checks,
        check_live(path),
        *check_flows(flows, settings, published.calendars, now),
        *check_prefect(settings.prefect_api_url or daemon_address(settings.state_dir), decided=published.decided),
        check_backups(settings.backups_dir, settings.source, published.calendars, published.store_id),
        *check_disks(path, settings.backups_dir),
        check_leftovers(settings.state_dir, now),
    )
    return Health(checks, published.series)


def _read_published(settings: Settings, universe: Universe, now: datetime, *, unattended: bool) -> _Published:
    try:
        with open_reader(settings.store_path, settings.source) as store:
            sessions = recent_sessions(store)
            fetched = newest_fetch(store) if settings.source == "sample" else None
            seen = Calendars(sessions, fetched or now)
            prices = price_reaches(seen, newest_price_days(store), universe)
            macro = macro_reaches(seen, newest_macro_days(store), universe)
            checks = (
                *_store_checks(store, settings.store_path),
                *_decision_checks(store, seen, unattended=unattended),
                check_prices(prices),
                check_macro(macro),
                *check_findings(read_signal(store)),
            )
            decided = is_decided(seen, read_signal(store))
            return _Published(checks, (*prices, *macro), Calendars(sessions, now), read_store_id(store), decided)
    except StoreError as error:
        return _Published((Check("store", Status.UNHEALTHY, str(error), "do what the message says"),))


def _store_checks(store: Store, live_path: Path) -> tuple[Check, ...]:
    identity = read_identity(store.connection, store.path)
    # A writer that ends, well or not, checkpoints: only one that was killed leaves its write-ahead log behind.
    interrupted = wal_path(live_path).exists() and read_holder(live_path) is None
    return (
        Check("store", Status.HEALTHY, f"published copy {store.path.name} opens"),
        Check("schema", Status.HEALTHY, f"{identity.schema}, of release {identity.release}"),
        check_runs(read_runs(store, RUNS_LOOKED_AT), interrupted=interrupted),
    )


def _decision_checks(store: Store, calendars: Calendars, *, unattended: bool) -> tuple[Check, ...]:
    signal = read_signal(store)
    return (
        check_signal(calendars, signal, unattended=unattended),
        *check_orders(signal, read_orders(store)),
        *check_model(signal),
    )
