"""After a kill or at a boot: an interrupted switch is finished or undone, and one release serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.errors import PortfolioError
from portfolio.release import visible
from portfolio.release.failures import ReleaseError
from portfolio.release.journal import alarm, say
from portfolio.release.switch import PROVED, Options, Switching
from portfolio.release.undo import READY_S, undo
from portfolio.release.worker import stop_worker

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.record import Records, Switch

RECOVER_DRAIN_S = 300.0


def recover(host: Host, records: Records, *, start: bool) -> None:
    """Finish or undo what was interrupted; with `start`, also have the serving release run, as after a boot.

    While the host goes down nothing is done: services cannot be started any more, and the boot does it.
    """
    if host.is_going_down():
        say("recover: the host is going down; the next boot does it")
        return
    switch = records.switch()
    if switch:
        settle(host, records, switch)
    slot = host.layout.serving_slot()
    if slot and (start or switch):
        visible.start_worker(host, slot)
        visible.prepare_queue(host, slot, paused=False)  # whoever has paused it, a release serves to be given runs
        host.systemctl("start", visible.TARGET)
        say(f"recover: {host.layout.version_in(slot)} serves from {slot}")


def settle(host: Host, records: Records, switch: Switch) -> None:
    """Finish a switch whose new release has proved itself; undo any other, and one that cannot be finished.

    Raises ReleaseError with nothing changed while Prefect's API does not answer.
    """
    interrupted = f"Interrupted at {switch.step}."
    if switch.step not in PROVED or switch.undoing:
        undo(host, records, switch, interrupted)
        return
    say(
        f"recover: {switch.verb} to {switch.to_version} was interrupted at {switch.step}; its release has proved itself"
    )
    if not host.api.wait_ready(READY_S):
        message = f"Prefect's API at {host.api_url} does not answer: systemctl status prefect-server."
        raise ReleaseError(message)
    try:
        visible.start_worker(host, switch.to_slot)
        if switch.from_slot and switch.verb == "switch":  # a flow that does not end keeps nobody from going back
            stop_worker(host, switch.from_slot, RECOVER_DRAIN_S)
        visible.restart_web(host)
        Switching(host, records, switch, Options(watch_s=0, drain_s=RECOVER_DRAIN_S)).finish()
    except PortfolioError as error:
        alarm(f"recover: {error}")
        undo(host, records, records.switch() or switch, f"{interrupted} {error}")
