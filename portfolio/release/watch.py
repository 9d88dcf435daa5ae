"""Watching a new release for a while: its worker stays, its web service answers, nothing becomes unhealthy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from portfolio.release.failures import ReleaseError
from portfolio.release.health import ensure_no_worse
from portfolio.release.host import worker_unit
from portfolio.release.visible import ensure_web

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.record import Switch

LOOK_EVERY_S = 5.0
HEALTH_EVERY = 6  # looks: a second of processor time each half minute


def watch(host: Host, switch: Switch, seconds: float) -> None:
    """Look at a release for so long; raises ReleaseError with the first thing that is wrong."""
    unit = worker_unit(switch.to_slot)
    begun, pid, looks = time.monotonic(), host.property_of(unit, "MainPID"), 0
    while (left_s := seconds - (time.monotonic() - begun)) > 0:
        time.sleep(min(LOOK_EVERY_S, left_s))
        looks += 1
        if not host.is_active(unit) or host.property_of(unit, "MainPID") != pid:
            message = f"{unit} has not stayed up since the switch: journalctl -u {unit}"
            raise ReleaseError(message)
        ensure_web(host, switch.to_version)
        if switch.from_version and looks % HEALTH_EVERY == 0:
            ensure_no_worse(host, switch.to_version, switch.unhealthy_before)
