"""Switching: the idle slot's release becomes the serving one, step by step, each written down before it begins.

docs/RELEASE.md has the steps as a table: what each does, what undoes it, and what an interruption there leads to.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from portfolio.release import candidate, live_store, visible
from portfolio.release.failures import RefusedError, ReleaseError, StoreHeldError
from portfolio.release.health import ensure_no_worse, health_before
from portfolio.release.journal import say
from portfolio.release.prefect_api import NoSuchError
from portfolio.release.record import RESUMED, now, with_
from portfolio.release.watch import watch
from portfolio.release.worker import DRAIN_S, end_if_idle, leave_worker, stop_worker, wait_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portfolio.release.host import Host
    from portfolio.release.live_store import Plan
    from portfolio.release.record import Records, Switch

# From this step on the new release has proved itself: an interrupted switch is finished, not undone.
PROVED = ("resume", *RESUMED)
STEPS = ("prepare", "check", "pause", "wait", "copy", "migrate", "start", "flip", "web", "prove", "drain", *PROVED)


@dataclass(frozen=True, slots=True)
class Options:
    """How a switch is to be done."""

    expected_change: str = ""
    accept_no_rollback: bool = False
    watch_s: float = 300.0
    drain_s: float = DRAIN_S
    version: str = ""  # which installed release, when it need not be the newest


class Switching:
    """A switch on its way; `record` is what stands on the disk."""

    def __init__(self, host: Host, records: Records, record: Switch, options: Options) -> None:
        self.host = host
        self.records = records
        self.record = record
        self.options = options

    def forward(self) -> None:
        """Do every step; what a step raises leaves the record as it is, to be undone."""
        if self.record.verb == "switch":
            self.step("check", self._check)
        else:
            self.step("check", self._check_old)
        if self.record.migrates:
            self.step("pause", self._pause)
            self.step("wait", self._wait)
            self._copy_and_migrate()
        self.step("start", self._start)
        self.step("flip", self._flip)
        self.step("web", self._web)
        self.step("prove", self._prove)
        if self.record.verb == "switch":
            self.step("drain", self._drain)
        self.finish()

    def finish(self) -> None:
        """Do the steps after which the new release has proved itself."""
        self.step("resume", self._resume)
        if self.record.verb == "switch":
            self.step("watch", self._watch)
        else:
            self.step("leave", self._leave)
        self.step("confirm", self._confirm)

    def step(self, name: str, act: Callable[[], None]) -> None:
        """Write down that a step begins, do it, and tell how long it took."""
        self.note(step=name)
        visible.hold(self.records, name)
        begun = time.monotonic()
        act()
        took_s = round(time.monotonic() - begun, 2)
        self.record = with_(self.record, seconds=self.record.seconds | {name: took_s})
        say(f"{self.record.verb} {name}: done in {took_s:.1f} s")
        visible.hold(self.records, f"{name}:done")

    def note(self, **changes: object) -> None:
        """Write down what changed before anything rests on it."""
        self.record = self.records.keep(with_(self.record, **changes))

    def _check(self) -> None:
        """Prove the candidate on a copy, and know whether the way back will be open."""
        record = self.record
        plan = candidate.check(self.host, record.to_version, record.from_version, record.expected_change)
        self._note_plan(plan, health_before(self.host, record.from_version))
        stop_worker(self.host, record.to_slot, self.options.drain_s)  # of a switch that ended badly

    def _check_old(self) -> None:
        """Know that the release gone back to can read the store, while the serving one is asked for its health."""
        with ThreadPoolExecutor(2) as beside:
            before = beside.submit(health_before, self.host, self.record.from_version)
            known = beside.submit(health_before, self.host, self.record.to_version)
            plan = self._plan_on_live() if self._places.store.exists() else None
            if plan and not plan.can_read:
                message = (
                    f"Release {self.record.to_version} cannot read the store: it needs a release that knows schema "
                    f"{plan.min_reader}: `portfolio restore` brings an older one back by hand, without what came since."
                )
                raise RefusedError(message)
            # What the old release finds wrong already is no doing of the way back.
            told = before.result()
            self._note_plan(plan, None if told is None else told | (known.result() or {}))

    def _plan_on_live(self) -> Plan:
        """Look at the store, or at its published copy while a flow writes, which may be the one to get away from."""
        at, version = self._places, self.record.to_version
        try:
            with live_store.locked(self.host, at.store, 0):
                return live_store.plan(self.host, version, at.store)
        except StoreHeldError:
            if not at.published.exists():
                raise
            return live_store.plan_of_published(self.host, version, at)

    @cached_property
    def _places(self) -> live_store.Places:
        return live_store.places(self.host, self.record.to_version)

    def _note_plan(self, plan: Plan | None, before: Mapping[str, str] | None) -> None:
        can_go_back = self._old_can_read(plan)
        if plan and not can_go_back and self.record.from_version and not self.options.accept_no_rollback:
            message = (
                f"Once {self.record.to_version} has migrated the store, {self.record.from_version} cannot read it "
                f"(it needs schema {plan.min_reader}): there is no way back. To accept that: --accept-no-rollback."
            )
            raise RefusedError(message)
        store = str(self._places.store) if plan else ""
        migrates = bool(plan and plan.pending)
        known = None if before is None else tuple(before)
        self.note(migrates=migrates, can_go_back=can_go_back, store=store, unhealthy_before=known)

    def _old_can_read(self, plan: Plan | None) -> bool:
        old = self.record.from_version
        return old is None or plan is None or self.host.layout.manifest(old).schema.current >= plan.min_reader

    def _pause(self) -> None:
        if self.record.from_slot:
            self.note(paused_at=now())
            self.host.api.pause_queue(self.record.from_slot, paused=True)

    def _wait(self) -> None:
        if self.record.from_slot:
            wait_idle(self.host, self.record.from_slot, self.options.drain_s)

    def _copy_and_migrate(self) -> None:
        """Copy and migrate the store under one lock, so that nobody writes between the two."""
        at = self._places
        with live_store.locked(self.host, at.store) as descriptor:
            self.step("copy", lambda: self._copy(at))
            self.step("migrate", lambda: self._migrate(at, descriptor))

    def _copy(self, at: live_store.Places) -> None:
        live_store.copy(self.host, at.store, at.copy, live_store.MIGRATION_COPIES)
        self.note(before_sha256=live_store.fingerprint(at.store))

    def _migrate(self, at: live_store.Places, descriptor: int) -> None:
        live_store.migrate(self.host, self.record.to_version, descriptor)
        self.note(migrated_sha256=live_store.fingerprint(at.store))

    def _start(self) -> None:
        """Start the new worker and hand the deployments to its queue, at the same time: each takes seconds."""
        record, host = self.record, self.host
        stop_worker(host, record.to_slot, self.options.drain_s)
        host.layout.fill(record.to_slot, record.to_version)
        if record.from_slot and not record.paused_at:  # nothing is given out twice while waiting runs change queues
            host.api.pause_queue(record.from_slot, paused=True)
        if not visible.has_queues(host):  # the first switch of this host: registering makes the pool
            visible.register(host, record.to_version, record.to_slot)
            visible.prepare_queue(host, record.to_slot, paused=False)
            visible.start_worker(host, record.to_slot)
            return
        visible.prepare_queue(host, record.to_slot, paused=record.migrates)
        self._ask_smoke(known=True)
        with ThreadPoolExecutor(2) as both:
            started = both.submit(visible.start_worker, host, record.to_slot)
            registered = both.submit(visible.register, host, record.to_version, record.to_slot)
            started.result()
            registered.result()

    def _ask_smoke(self, *, known: bool) -> None:
        """Ask for the proving run; a slot that has served has a deployment for it, so it can wait for its worker."""
        if self.record.smoke_run:
            return
        with suppress(NoSuchError) if known else nullcontext():
            run = visible.ask_smoke(self.host, self.record.to_slot, self.record.to_version)
            self.note(smoke_run=run)

    def _flip(self) -> None:
        self.host.layout.serve(self.record.to_slot)

    def _web(self) -> None:
        visible.restart_web(self.host)

    def _prove(self) -> None:
        """See a flow run end well in the new release, its page answer, and its health no worse than before.

        Meanwhile the old worker is ended where its queue is paused anyway, or it is the one to get away from.
        """
        self._ask_smoke(known=False)
        with ThreadPoolExecutor(3) as together:
            parts = [together.submit(visible.wait_smoke, self.host, self.record.smoke_run, self.record.to_version)]
            if self.record.from_version:
                parts.append(together.submit(self._compare_health))
            if self.record.verb == "rollback":
                parts.append(together.submit(self._end_idle))
            elif self.record.migrates:
                parts.append(together.submit(self._drain))
            visible.ensure_web(self.host, self.record.to_version)
            for part in parts:
                part.result()

    def _compare_health(self) -> None:
        ensure_no_worse(self.host, self.record.to_version, self.record.unhealthy_before)

    def _drain(self) -> None:
        if self.record.from_slot:
            stop_worker(self.host, self.record.from_slot, self.options.drain_s)

    def _end_idle(self) -> None:
        """End the worker to get away from while the other one proves itself; one with a flow is waited for later."""
        if self.record.from_slot:
            with suppress(ReleaseError):
                end_if_idle(self.host, self.record.from_slot)

    def _leave(self) -> None:
        """Wait for the flow of the worker to get away from, and end it; one that does not end keeps nobody."""
        if self.record.from_slot:
            leave_worker(self.host, self.record.from_slot, self.options.drain_s)

    def _resume(self) -> None:
        visible.ensure_registered(self.host, self.record.to_version, self.record.to_slot)
        self.host.api.pause_queue(self.record.to_slot, paused=False)
        self.note(resumed_at=now() if self.record.paused_at else "")
        if self.record.paused_at or self.record.from_slot is None:  # else nothing can have been missed
            visible.make_up(self.host, self.record.to_version, self.record.to_slot)

    def _watch(self) -> None:
        watch(self.host, self.record, self.options.watch_s)

    def _confirm(self) -> None:
        self.records.end(self.record, "done", "")
        if self.record.verb == "switch":
            self.records.forget_candidate(self.record.to_version)
