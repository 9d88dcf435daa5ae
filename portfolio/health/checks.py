"""Every check, in the order in which a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portfolio.health.backups import check_backups
from portfolio.health.decision import check_findings, check_model, check_orders, check_signal, is_decided
from portfolio.health.expected import Calendars
from portfolio.health.files import check_disks, check_leftovers, check_live
from portfolio.health.flows import check_flows, read_flows
from portfolio.health.prefect_api import check_prefect, daemon_address
from portfolio.health.published import Published
from portfolio.health.runs import check_runs
from portfolio.health.series import Reach, check_macro, check_prices, macro_reaches, price_reaches
from portfolio.health.verdict import Check, Status, worst
from portfolio.store.engine import wal_path
from portfolio.store.lock import may_be_held

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.errors import StoreError
    from portfolio.settings import Settings
    from portfolio.universe import Universe


@dataclass(frozen=True, slots=True)
class Health:
    """Every check's verdict, and how far each series reaches; none when the published copy does not open."""

    checks: tuple[Check, ...]
    series: tuple[Reach, ...]

    @property
    def status(self) -> Status:
        """The worst check's."""
        return worst(self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "status": self.status.name,
            "checks": [check.as_dict() for check in self.checks],
            "series": [reach.as_dict() for reach in self.series],
        }


def check_health(settings: Settings, universe: Universe, now: datetime, published: Published | StoreError) -> Health:
    """Run every check on what the published copy told, or on why it does not open.

    `now` is the wall clock, which the sample's data replace by their own newest fetch.
    """
    path, flows = settings.store_path, read_flows(settings.state_dir)
    of_copy = _check_published(published, settings, universe, now, unattended=flows.used_since is not None)
    calendars, store_id, decided = None, None, False
    if isinstance(published, Published):
        calendars, store_id = Calendars(published.sessions, now), published.store_id
        decided = is_decided(published.calendars(now), published.signal)
    checks = (
        *of_copy.checks,
        check_live(path),
        *check_flows(flows, settings, calendars, now),
        *check_prefect(settings.prefect_api_url or daemon_address(settings.state_dir), decided=decided),
        check_backups(settings.backups_dir, settings.source, calendars, store_id),
        *check_disks(path, settings.backups_dir),
        check_leftovers(settings.state_dir, now),
    )
    return Health(checks, of_copy.series)


def _check_published(
    published: Published | StoreError, settings: Settings, universe: Universe, now: datetime, *, unattended: bool
) -> Health:
    if not isinstance(published, Published):
        return Health((Check("store", Status.UNHEALTHY, str(published), "do what the message says"),), ())
    seen = published.calendars(now)
    prices = price_reaches(seen, published.newest_prices, universe)
    macro = macro_reaches(seen, published.newest_macro, universe)
    checks = (
        *_store_checks(published, settings.store_path),
        *_decision_checks(published, seen, unattended=unattended),
        check_prices(prices),
        check_macro(macro),
        *check_findings(published.signal),
    )
    return Health(checks, (*prices, *macro))


def _store_checks(published: Published, live_path: Path) -> tuple[Check, ...]:
    # A writer that ends, well or not, checkpoints: only one that was killed leaves its write-ahead log behind.
    interrupted = wal_path(live_path).exists() and not may_be_held(live_path)
    return (
        Check("store", Status.HEALTHY, f"published copy {published.file} opens"),
        Check("schema", Status.HEALTHY, f"{published.schema}, of release {published.release}"),
        check_runs(published.runs, interrupted=interrupted),
    )


def _decision_checks(published: Published, calendars: Calendars, *, unattended: bool) -> tuple[Check, ...]:
    signal = published.signal
    return (
        check_signal(calendars, signal, unattended=unattended),
        *check_orders(signal, published.orders),
        *check_model(signal),
    )
