"""Everything the answers are made from: read from files when they changed, never more often than needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.health.backups import Backups, count_backups
from portfolio.health.checks import Health, check_health
from portfolio.health.flows import Flows, read_flows
from portfolio.health.published import Published, read_published
from portfolio.status import status_folder
from portfolio.store.connection import published_path
from portfolio.web.releases import HISTORY, SWITCH, ReleaseHistory, read_history
from portfolio.web.remembered import Remembered, identity_of, identity_of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime
    from pathlib import Path

    from portfolio.running import Running
    from portfolio.settings import Settings
    from portfolio.universe import Universe

FILES_FOR_S = 60.0  # files that look the same are read again all the same: a reading that failed may go well now
CHECKS_FOR_S = 2.0  # checks also look at disks, processes and Prefect, which no file tells of
LARGEST_PAGE = 20_000_000  # bytes: twenty times the largest page seen
PAGE_END = b"</html>"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One look at everything, equal to no other; `now` is the wall clock's instant of it."""

    settings: Settings
    running: Running
    now: datetime
    published: Published | StoreError
    flows: Flows
    health: Health
    backups: Backups
    releases: ReleaseHistory


class PageError(Exception):
    """The page cannot be served; the message says why, and what makes it anew."""


class Reading:
    """Reads for all requests of a process; a reading that is kept answers those who come while files stay the same."""

    def __init__(self, settings: Settings, universe: Universe, running: Running, clock: Callable[[], datetime]) -> None:
        self.settings, self.running = settings, running
        self._universe, self._clock = universe, clock
        self._published: Remembered[Published | StoreError] = Remembered(FILES_FOR_S)
        self._page: Remembered[bytes | PageError] = Remembered(FILES_FOR_S)
        self._flows: Remembered[Flows] = Remembered(FILES_FOR_S)
        self._releases: Remembered[ReleaseHistory] = Remembered(FILES_FOR_S)
        self._seen: Remembered[Seen] = Remembered(CHECKS_FOR_S)

    async def published(self) -> Published | StoreError:
        """Return what the published copy tells, or why it does not open; a replaced copy is read anew."""
        return await self._published_of(self._published_key())

    async def _published_of(self, key: Hashable) -> Published | StoreError:
        return await self._published.get(key, lambda: read_published(self.settings))

    async def page(self) -> bytes | PageError:
        """Return the page as it was published, or why there is none."""
        path = self.settings.page_path
        return await self._page.get(identity_of(path), lambda: _read_page(path))

    async def seen(self) -> Seen:
        """Return one look at everything; what changed after the look began, the next one sees."""
        key = published_key, flows_key, releases_key = self._published_key(), self._flows_key(), self._releases_key()
        published = await self._published_of(published_key)
        flows = await self._flows.get(flows_key, lambda: read_flows(self.settings.state_dir))
        releases = await self._releases.get(releases_key, lambda: read_history(self.settings.release_state))
        return await self._seen.get(key, lambda: self._look(published, flows, releases))

    def _look(self, published: Published | StoreError, flows: Flows, releases: ReleaseHistory) -> Seen:
        now = self._clock()
        health = check_health(self.settings, self._universe, now, published)
        store_id = None if isinstance(published, StoreError) else published.store_id
        backups = count_backups(self.settings.backups_dir, store_id)
        return Seen(self.settings, self.running, now, published, flows, health, backups, releases)

    def _published_key(self) -> Hashable:
        return identity_of(published_path(self.settings.store_path))

    def _flows_key(self) -> Hashable:
        return identity_of_folder(status_folder(self.settings.state_dir), "[!.]*.json")

    def _releases_key(self) -> Hashable:
        folder = self.settings.release_state
        return identity_of(folder / HISTORY), identity_of(folder / SWITCH)

    def now(self) -> datetime:
        """Return the wall clock's instant."""
        return self._clock()


def _read_page(path: Path) -> bytes | PageError:
    try:
        if path.stat().st_size > LARGEST_PAGE:
            return PageError(f"The page {path.name} is larger than {LARGEST_PAGE} bytes: write it again.")
        page = path.read_bytes()
    except FileNotFoundError:
        return PageError("There is no page yet: the first decision writes it.")
    except OSError as error:
        return PageError(f"The page {path.name} cannot be read ({error.strerror}): mend its rights.")
    if not page.rstrip().endswith(PAGE_END):
        return PageError(f"The page {path.name} is not whole: `portfolio report` writes it again.")
    return page
