"""The worker of a slot: whether it runs a flow, its end without one, and whether Prefect has heard of its start."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.release.failures import ReleaseError
from portfolio.release.host import worker_name, worker_unit
from portfolio.release.journal import alarm, say
from portfolio.release.prefect_api import queues_of
from portfolio.systemd import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from portfolio.release.host import Host
    from portfolio.release.layout import Slot
    from portfolio.release.record import Records

DRAIN_S = 900.0  # longest wait for a running flow; a first fetch with all its retries takes less
POLL_S = 0.2
QUIET_POLL_S = 0.5
QUIET_POLLS = 3  # between two steps of starting a flow a worker has no child for a moment
ONLINE_S = 120.0  # a start on a busy host takes ten; Prefect's server may be starting too
ANSWER_S = 5.0  # for an API that may be dead while a host shuts down
CHILDREN = 'cat /proc/"$1"/task/*/children'
# Where control groups are listed: version 2, and version 1 with systemd's own hierarchy beside it.
GROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")


def drain(host: Host, slot: Slot, seconds: float) -> int:
    """Take no new run and wait until the running ones have ended: what systemd does before it ends a worker.

    Prefect's worker kills its flows when it is told to end. Returns 0 when none is left, 1 when one still runs.
    """
    pid = int(os.environ.get("MAINPID") or 0)
    if not pid:  # it has ended by itself, and its flows with it
        return 0
    between_s = POLL_S if _pause(host, slot) else QUIET_POLL_S
    if _stays_quiet(lambda: not _has_children(pid) and not _starts_one(host, slot), seconds, between_s):
        say(f"drain {slot}: no flow runs")
        return 0
    say(f"drain {slot}: a flow still runs after {seconds:g} s: systemd ends it, a later start closes its run")
    return 1


def wait_online(host: Host, records: Records, slot: Slot, seconds: float = ONLINE_S) -> int:
    """Wait until Prefect has heard of the slot's worker since this start; then let a serving slot's queue go on.

    A stop of the worker had paused it. Returns 1 when the worker ends, or Prefect has not heard of it in time.
    """
    begun, pid = datetime.now(UTC), int(os.environ.get("MAINPID") or 0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if pid and not Path(f"/proc/{pid}").exists():
            say(f"wait-online {slot}: the worker has ended while it started")
            return 1
        if _heard(host, slot, begun):
            switch = records.switch()
            if host.layout.serving_slot() == slot and (switch is None or switch.gives_out(slot)):
                host.api.pause_queue(slot, paused=False)
            release = f"release {host.layout.version_in(slot)}"
            notify(f"STATUS={release}, slot {slot}: waits for runs")
            say(f"wait-online {slot}: online, {release}")
            return 0
        time.sleep(POLL_S)
    say(f"wait-online {slot}: Prefect has not heard of the worker for {seconds:g} s")
    return 1


def wait_idle(host: Host, slot: Slot, seconds: float) -> None:
    """Wait until a slot's worker runs no flow; raises ReleaseError when one takes longer, and ends nothing."""
    if seconds and not is_idle(host, slot):
        say(f"  A flow of slot {slot} runs: its end is waited for, {seconds:g} s at most")
    if not _stays_quiet(lambda: is_idle(host, slot), seconds, QUIET_POLL_S):
        message = (
            f"A flow of slot {slot} still runs after {seconds:g} s; it is not ended. Try again when it has, or cancel "
            "it in Prefect's UI."
        )
        raise ReleaseError(message)


def _stays_quiet(is_quiet: Callable[[], bool], seconds: float, between_s: float) -> bool:
    """Look until it was quiet several times in a row; False when something still goes on after so many seconds."""
    deadline, quiet = time.monotonic() + seconds, 0
    while True:
        quiet = quiet + 1 if is_quiet() else 0
        if quiet == QUIET_POLLS:
            return True
        if quiet == 0 and time.monotonic() > deadline:
            return False
        time.sleep(between_s)


def is_idle(host: Host, slot: Slot) -> bool:
    """Tell whether a slot's worker has no flow; one that does not run has none."""
    pid = host.property_of(worker_unit(slot), "MainPID")
    if pid in {"", "0"}:
        return True
    return not _others(host, slot, pid) and not host.api.is_starting_one(*queues_of(slot))


def _others(host: Host, slot: Slot, pid: str) -> list[str]:
    """Return the processes of a worker's unit beside its main one.

    From the list of its control group: the worker has users of its own (PrivateUsers=), and in the tool's sandbox
    /proc shows its processes to nobody, not even to the same user.
    """
    unit = worker_unit(slot)
    group = host.property_of(unit, "ControlGroup").lstrip("/")
    for hierarchy in GROUPS if group else ():
        with suppress(OSError):  # another version's hierarchy, or the unit ended meanwhile
            listed = (host.layout.at(hierarchy) / group / "cgroup.procs").read_text()
            return [other for other in listed.split() if other != pid]
    looked = host.run_as_service(["/bin/sh", "-c", CHILDREN, "sh", pid], None, (), 10)
    if looked.returncode and host.property_of(unit, "MainPID") == pid:
        message = f"Process {pid} of {unit} cannot be looked at: {looked.stderr.strip()}"
        raise ReleaseError(message)
    return looked.stdout.split()


def stop_worker(host: Host, slot: Slot, seconds: float) -> None:
    """End a slot's worker once it has no flow; raises ReleaseError, with the worker as it was, when it keeps one."""
    if host.is_active(worker_unit(slot)):
        wait_idle(host, slot, seconds)
        host.systemctl("stop", worker_unit(slot))


def end_if_idle(host: Host, slot: Slot) -> None:
    """End a slot's worker unless it has a flow; its queue has been paused for a while.

    What it took before that is in hand by now, so one look from both sides is enough: a run is being started, or it
    has a process. `drain` looks on before it is ended.
    """
    unit = worker_unit(slot)
    if host.is_active(unit) and not host.api.is_starting_one(*queues_of(slot)) and is_idle(host, slot):
        host.systemctl("stop", unit)


def leave_worker(host: Host, slot: Slot, seconds: float) -> bool:
    """End a slot's worker, or leave it to a flow that does not end in time, which is told; returns whether it ended."""
    try:
        stop_worker(host, slot, seconds)
    except ReleaseError as error:
        alarm(f"The worker of slot {slot} goes on, its queue paused: {error}")
        return False
    return True


def _pause(host: Host, slot: Slot) -> bool:
    """Pause a queue, and tell whether it was so before: then a worker has started what it was given."""
    try:
        if host.api.wait_ready(ANSWER_S):
            before = host.api.is_paused(slot)
            host.api.pause_queue(slot, paused=True)
            return before
        say(f"drain {slot}: Prefect's API does not answer, so it gives out no runs either")
    except ReleaseError as error:
        say(f"drain {slot}: the queue was not paused ({error})")
    return False


def _has_children(pid: int) -> bool:
    try:
        return any((task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it ended meanwhile
        return False


def _starts_one(host: Host, slot: Slot) -> bool:
    try:
        return host.api.is_starting_one(*queues_of(slot))
    except ReleaseError:  # while a host shuts down, the processes alone tell
        return False


def _heard(host: Host, slot: Slot, since: datetime) -> bool:
    try:
        seen = host.api.seen_online(worker_name(slot))
    except ReleaseError:  # the server is starting, or has no pool yet
        return False
    return seen is not None and seen >= since
