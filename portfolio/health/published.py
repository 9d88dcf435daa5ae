"""What the published copy tells: read at one go, so that a reader holds the file for an instant only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.health.expected import Calendars
from portfolio.health.runs import RUNS_LOOKED_AT
from portfolio.store.backup import count_rows, read_store_id
from portfolio.store.connection import open_reader
from portfolio.store.journal import read_runs
from portfolio.store.newest import newest_fetch, newest_macro_days, newest_price_days, recent_sessions
from portfolio.store.orders import read_orders
from portfolio.store.schema import read_identity
from portfolio.store.signals import read_signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from portfolio.settings import Settings
    from portfolio.store.connection import Store
    from portfolio.store.journal import Run
    from portfolio.store.orders import OrdersRow
    from portfolio.store.signals import SignalRow


@dataclass(frozen=True, slots=True)
class Published:
    """A published copy's identity, how far it reaches, its newest decision and plan, and its size.

    `runs` are the newest of the journal, newest first; `sessions` the calendars' last year by exchange; `data_as_of`
    is the instant that replaces the wall clock for the sample, None for live data; `rows` counts by table.
    """

    file: str
    schema: int
    release: str
    store_id: str
    runs: tuple[Run, ...]
    sessions: Mapping[str, Sequence[tuple[date, datetime]]]
    data_as_of: datetime | None
    newest_prices: Mapping[str, date]
    newest_macro: Mapping[str, date]
    signal: SignalRow | None
    orders: OrdersRow | None
    rows: Mapping[str, int]

    def calendars(self, now: datetime) -> Calendars:
        """Return the calendars as seen by the data: from the wall clock, or from the sample's newest fetch."""
        return Calendars(self.sessions, self.data_as_of or now)

    @property
    def planned(self) -> OrdersRow | None:
        """The plan of the newest decision, None when there is none yet or only one of an earlier decision."""
        if self.signal is None or self.orders is None:
            return None
        fits = (self.orders.session, self.orders.signal_revision) == (self.signal.session, self.signal.revision)
        return self.orders if fits else None


def read_published(settings: Settings) -> Published | StoreError:
    """Open the published copy, read what it tells and close it; why it cannot be read is an answer, too."""
    try:
        with open_reader(settings.store_path, settings.source) as store:
            return _read(store, sample=settings.source == "sample")
    except StoreError as error:
        return error


def _read(store: Store, *, sample: bool) -> Published:
    identity = read_identity(store.connection, store.path)
    return Published(
        file=store.path.name,
        schema=identity.schema,
        release=identity.release,
        store_id=read_store_id(store),
        runs=tuple(read_runs(store, RUNS_LOOKED_AT)),
        sessions=recent_sessions(store),
        data_as_of=newest_fetch(store) if sample else None,
        newest_prices=newest_price_days(store),
        newest_macro=newest_macro_days(store),
        signal=read_signal(store),
        orders=read_orders(store),
        rows=count_rows(store.connection),
    )
