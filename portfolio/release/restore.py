"""Restoring: a backup takes the store's place while no worker runs, whatever becomes of who asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.release import live_store, visible
from portfolio.release.failures import RefusedError
from portfolio.release.journal import say
from portfolio.release.worker import stop_worker

if TYPE_CHECKING:
    from portfolio.release.host import Host


def restore(host: Host, backup: str, drain_s: float, *, force: bool) -> None:
    """Let the serving release restore a backup, by its name or folder, the newest when it is empty.

    Running flows finish first. Raises RefusedError when nothing serves, ReleaseError with the release's own words when
    it refuses the backup or to replace a good store; the worker starts again in any case.
    """
    slot = host.layout.serving_slot()
    version = host.layout.version_in(slot)
    if slot is None or version is None:
        message = "Nothing serves here, so nothing can restore: `make provision` and `make deploy` first, then again."
        raise RefusedError(message)
    stop_worker(host, slot, drain_s)
    try:
        chosen, forced = [backup] if backup else [], ["--force"] if force else []
        for line in host.must(version, "portfolio", "restore", *chosen, *forced).splitlines():
            say(line)
        store = live_store.places(host, version).store
        with live_store.locked(host, store) as descriptor:
            live_store.migrate(host, version, descriptor)
    finally:
        visible.start_worker(host, slot)
    host.must(version, "portfolio", "report")
    say(f"restore: {version} goes on with what was restored")
