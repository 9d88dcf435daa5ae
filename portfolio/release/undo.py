"""Undoing a switch: the previous release serves again, the store is its own again where that loses nothing.

Every part may be done again: an undoing that is interrupted is simply begun anew.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from portfolio.errors import PortfolioError
from portfolio.release import candidate, live_store, visible
from portfolio.release.failures import ReleaseError
from portfolio.release.host import WEB_SOCKET, WEB_UNIT
from portfolio.release.journal import alarm, say
from portfolio.release.record import now, with_
from portfolio.release.switch import STEPS
from portfolio.release.worker import leave_worker, stop_worker

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.record import Records, Switch

UNDO_DRAIN_S = 120.0  # for a flow that the new release had begun; then it goes on beside the old release
READY_S = 120.0  # Prefect's server may be starting


def undo(host: Host, records: Records, switch: Switch, reason: str) -> None:
    """Bring the previous release back, write the switch's end down, and alarm; the record stays when a part fails."""
    switch = records.keep(with_(switch, undoing=switch.undoing or reason))
    alarm(f"{switch.verb} to {switch.to_version} failed at {switch.step}: {switch.undoing} Undoing it.")
    try:
        resumed = _restored(host, records, switch)
    except PortfolioError as error:
        alarm(f"{switch.verb} could not be undone: {error} `portfolio-release recover` tries again; so does a boot.")
        raise
    outcome = "rolled-back" if resumed else "failed"
    records.end(with_(switch, resumed_at=now() if switch.paused_at else ""), outcome, switch.undoing)
    serving = host.layout.version_in(host.layout.serving_slot())
    alarm(f"{switch.verb} to {switch.to_version} {outcome}: {serving or 'no release'} serves. Reason: {switch.undoing}")


def _restored(host: Host, records: Records, switch: Switch) -> bool:
    """Undo what the steps so far have done; tells False when the new release must go on serving."""
    if not _reached(switch, "pause"):
        candidate.clear(host, switch.to_version)
        return True
    if not host.api.wait_ready(READY_S):
        message = f"Prefect's API at {host.api_url} does not answer: systemctl status prefect-server."
        raise ReleaseError(message)
    if not _reached(switch, "start"):
        _put_store_back(host, records, switch)
        _resume_old(host, switch)
        return True
    with suppress(ReleaseError):  # it may have no queue yet
        host.api.pause_queue(switch.to_slot, paused=True)
    visible.forget_smoke(host, switch.smoke_run)
    if switch.migrates and not _undo_migration(host, records, switch) and not switch.can_go_back:
        return _stay(host, switch)
    _serve_old(host, switch)
    _empty_new_slot(host, switch)
    if switch.from_version and switch.from_slot:
        visible.ensure_registered(host, switch.from_version, switch.from_slot)
    return True


def _undo_migration(host: Host, records: Records, switch: Switch) -> bool:
    """Give the store back once the new worker has ended; tells False when it stays migrated."""
    try:
        stop_worker(host, switch.to_slot, UNDO_DRAIN_S)
    except ReleaseError as error:
        if not switch.can_go_back:
            raise
        alarm(f"The store stays migrated, as slot {switch.to_slot} goes on with its flow: {error}")
        return False
    return _put_store_back(host, records, switch)


def _serve_old(host: Host, switch: Switch) -> None:
    """Let the previous release take over again; before the first switch there was none."""
    host.layout.serve(switch.from_slot)
    if switch.from_slot is None or switch.from_version is None:
        host.systemctl("stop", WEB_SOCKET, WEB_UNIT, check=False)
        return
    with ThreadPoolExecutor(2) as both:
        started = both.submit(visible.start_worker, host, switch.from_slot)
        registered = both.submit(visible.register, host, switch.from_version, switch.from_slot)
        started.result()
        registered.result()
    _resume_old(host, switch)
    visible.restart_web(host)


def _resume_old(host: Host, switch: Switch) -> None:
    if switch.from_slot:
        visible.start_worker(host, switch.from_slot)
        visible.prepare_queue(host, switch.from_slot, paused=False)


def _empty_new_slot(host: Host, switch: Switch) -> None:
    """End the new worker; one that has a flow keeps it, and gets no other."""
    if leave_worker(host, switch.to_slot, UNDO_DRAIN_S):
        visible.close_smoke(host, switch.smoke_run)
        host.layout.fill(switch.to_slot, switch.replaced_in_slot)


def _put_store_back(host: Host, records: Records, switch: Switch) -> bool:
    """Give the store back its state before the migration, unless something was written since.

    Once begun it is done to its end, and once done never again: the old release may have written since. Where it is
    not known that nothing but the migration is undone, what is replaced stays beside the store.
    """
    if not switch.before_sha256 or switch.put_back == "done":  # nothing was migrated: at most a copy was begun
        return True
    at = live_store.places(host, switch.from_version or switch.to_version)
    with live_store.locked(host, at.store) as descriptor:
        seen = live_store.fingerprint(at.store)
        if switch.put_back != "begun":
            if seen == switch.before_sha256 or _was_not_migrated(host, switch, at):
                return True
            if switch.migrated_sha256 and seen != switch.migrated_sha256:
                say(f"undo: something was written since, so the store stays migrated; the copy is {at.copy}")
                return False
            if not at.copy.exists():
                say(f"undo: the store stays migrated, as the copy is gone: {at.copy}")
                return False
            records.keep(with_(switch, put_back="begun"))
        known, replaced = seen in {switch.before_sha256, switch.migrated_sha256}, at.replaced(switch.started_at)
        live_store.put_back(host, at, None if known else replaced)
        if switch.from_version:
            _publish(host, switch.from_version, descriptor)
        records.keep(with_(switch, put_back="done"))
        kept = f"; what was there is {replaced}" if replaced.exists() else ""
        say(f"undo: the store is as it was before the migration{kept}")
    return True


def _publish(host: Host, version: str, descriptor: int) -> None:
    """Let the old release publish; the disk may have no room for it, which must not keep it from serving."""
    try:
        live_store.publish(host, version, descriptor)
    except ReleaseError as error:
        alarm(f"The store is {version}'s again, but not published until its next flow, or `portfolio publish`: {error}")


def _was_not_migrated(host: Host, switch: Switch, at: live_store.Places) -> bool:
    """Tell whether the migrating was killed before it took the store's place: then the store is the old release's."""
    return not switch.migrated_sha256 and bool(live_store.plan(host, switch.to_version, at.store).pending)


def _stay(host: Host, switch: Switch) -> bool:
    """Go on with the new release: the old one cannot read what it has written."""
    alarm(
        f"{switch.from_version} cannot read the store any more, so {switch.to_version} goes on: --accept-no-rollback."
    )
    host.layout.serve(switch.to_slot)
    visible.start_worker(host, switch.to_slot)
    visible.register(host, switch.to_version, switch.to_slot)
    visible.prepare_queue(host, switch.to_slot, paused=False)
    visible.restart_web(host)
    if switch.from_slot:
        leave_worker(host, switch.from_slot, UNDO_DRAIN_S)
    return False


def _reached(switch: Switch, step: str) -> bool:
    return STEPS.index(switch.step) >= STEPS.index(step)
