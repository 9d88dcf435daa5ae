"""The parts of a switch that the world sees: workers, queues, deployments, the web service, a run that proves them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from portfolio.release.failures import ReleaseError
from portfolio.release.host import WEB_UNIT, worker_name, worker_unit
from portfolio.release.journal import say
from portfolio.release.layout import other
from portfolio.release.prefect_api import POOL, NoSuchError, queues_of

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.release.host import Host
    from portfolio.release.layout import Slot
    from portfolio.release.record import Records

TARGET = "portfolio.target"
SMOKE_S = 90.0  # a run takes five seconds, on a busy host twenty
WEB_S = 20.0
POLL_S = 0.2
HOLD_POLL_S = 0.05
ENDED_WELL = "COMPLETED"
GOING_ON = frozenset({"SCHEDULED", "PENDING", "RUNNING"})


def has_queues(host: Host) -> bool:
    """Tell whether Prefect has our pool, which the first registration makes."""
    try:
        host.api.ask("GET", f"/work_pools/{POOL}")
    except NoSuchError:
        return False
    return True


def prepare_queue(host: Host, slot: Slot, *, paused: bool) -> None:
    """Have a slot's queue, paused or not, and that of its smoke runs, open."""
    for queue, closed in zip(queues_of(slot), (paused, False), strict=True):
        try:
            host.api.pause_queue(queue, paused=closed)
        except NoSuchError:
            host.api.ask("POST", f"/work_pools/{POOL}/queues", {"name": queue, "is_paused": closed})


def start_worker(host: Host, slot: Slot) -> None:
    """Start a slot's worker; systemctl comes back once Prefect has heard of it.

    It closes what the other slot's worker has left behind, if that one has ended: Prefect alone would not know.
    """
    if host.has_ended(worker_unit(other(slot))):
        with suppress(ReleaseError):  # Prefect's server is starting, say; a later flow closes what was left
            host.api.forget_worker(worker_name(other(slot)))
    host.systemctl("reset-failed", worker_unit(slot), check=False)
    host.systemctl("start", worker_unit(slot))
    if not host.is_active(worker_unit(slot)):
        message = f"{worker_unit(slot)} does not run after its start: journalctl -u {worker_unit(slot)}"
        raise ReleaseError(message)


def register(host: Host, version: str, slot: Slot) -> None:
    """Let a release register its deployments on a slot's queue; runs that wait in the other queue come along."""
    _startup(host, version, slot, "--register-only")


def ensure_registered(host: Host, version: str, slot: Slot) -> None:
    """Register again when a deployment is on the other slot's queue: its worker, restarted meanwhile, took it there."""
    if other(slot) in host.api.queues_of_deployments():
        say(f"  The worker of slot {other(slot)} had taken the deployments back")
        register(host, version, slot)


def make_up(host: Host, version: str, slot: Slot) -> None:
    """Start each session that the store lacks, once."""
    _startup(host, version, slot, "--make-up-only")


def _startup(host: Host, version: str, slot: Slot, what: str) -> None:
    with host.prefect_profile() as (settings, fds):
        told = host.must(version, "python", "-m", "flows.startup", "--queue", slot, what, settings=settings, fds=fds)
    for line in told.splitlines():
        say(f"  {line}")


def close_smoke(host: Host, run: str) -> None:
    """Call a proving run crashed whose worker has ended before it."""
    with suppress(ReleaseError):  # as above
        if run and host.api.state_of(run)[0] in GOING_ON:
            host.api.close_run(run, "Its worker has ended, as the switch was undone.")


def restart_web(host: Host) -> None:
    """Have the web service restarted as the serving release's; requests wait at its socket, and nobody here for it."""
    host.systemctl("start", TARGET)
    host.systemctl("reset-failed", WEB_UNIT, check=False)
    host.systemctl("restart", "--no-block", WEB_UNIT)


def ensure_web(host: Host, version: str) -> None:
    """Raise ReleaseError unless the web service soon answers as a release."""
    deadline = time.monotonic() + WEB_S
    while wrong := host.web_answers(version):
        if time.monotonic() > deadline:
            raise ReleaseError(wrong)
        time.sleep(POLL_S)


def ask_smoke(host: Host, slot: Slot, version: str) -> str:
    """Ask for the flow run that is to prove a release on its slot's worker; returns its id."""
    return host.api.start_run(f"smoke/{slot}", {"version": version})


def wait_smoke(host: Host, run: str, version: str) -> None:
    """See the proving run end well."""
    deadline = time.monotonic() + SMOKE_S
    while (state := host.api.state_of(run))[0] in GOING_ON:
        if time.monotonic() > deadline:
            message = f"The smoke run of {version} was still {state[0]} after {SMOKE_S:g} s."
            raise ReleaseError(message)
        time.sleep(POLL_S)
    if state[0] != ENDED_WELL:
        message = f"The smoke run of {version} ended as {state[0]}: {state[1]}"
        raise ReleaseError(message)


def forget_smoke(host: Host, run: str) -> None:
    """Take back a proving run that no worker has taken: a later worker of the slot would be of another release."""
    with suppress(ReleaseError):
        if run and host.api.state_of(run)[0] == "SCHEDULED":
            host.api.ask("DELETE", f"/flow_runs/{run}")


def hold(records: Records, where: str) -> None:
    """Stand still at a place that a drill names in the file `hold-at`, until that file is removed; `held` says so.

    For rehearsing an interruption: `flip` is before the step acts, `flip:done` after.
    """
    wanted, held = records.folder / "hold-at", records.folder / "held"
    while _names(wanted) == where:
        held.touch()
        time.sleep(HOLD_POLL_S)
    held.unlink(missing_ok=True)


def _names(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
