"""Switching the machine on and off: by its own shutdown, or as a power cut does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.support.machine.group import join
from tests.support.machine.place import PROJECT
from tests.support.machine.processes import builders, hulls, inside, keepers, kill_all, wait_gone

if TYPE_CHECKING:
    from tests.support.machine.place import Place

# systemd-nspawn ends with it when the machine asked for a reboot.
REBOOT = 133
ANSWERS_S = 90
SHUTDOWN_S = 10


def switch_on(at: Place) -> None:
    """Start the machine, with a keeper that starts it again at each reboot; return when SSH answers."""
    with at.console.open("ab") as console:
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.machine", "keep", at.name],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    wait_for_ssh(at)


def keep(at: Place) -> int:
    """Run the machine, again after each reboot; return the code of its last end."""
    join(at)
    while True:
        ended = subprocess.run(_nspawn(at), stdin=subprocess.DEVNULL, check=False)
        if ended.returncode != REBOOT:
            return ended.returncode


def _nspawn(at: Place) -> list[str]:
    return [
        "systemd-nspawn",
        f"--directory={at.root}",
        "--boot",
        f"--machine={at.name}",
        # There need be no systemd on this host.
        "--register=no",
        "--keep-unit",
        f"--network-namespace-path=/run/netns/{at.name}",
        # nftables of the machine's own namespace.
        "--capability=CAP_NET_ADMIN",
        "--resolv-conf=off",
        "--link-journal=no",
        f"--bind={at.packages}:/var/cache/apt/archives",
    ]


def cut_power(at: Place) -> None:
    """End the machine as a power cut does: nothing inside gets to know."""
    kill_all(builders(at))
    kill_all(keepers(at))
    kill_all(hulls(at))
    kill_all(inside(at))
    if not wait_gone(at, SHUTDOWN_S):
        message = f"Processes of {at.name} stay after SIGKILL: {hulls(at) + inside(at)}."
        raise SystemExit(message)


def switch_off(at: Place) -> None:
    """Shut the machine down, and cut its power when that takes too long; fine when it is off already."""
    kill_all(builders(at), signal.SIGTERM)
    kill_all(keepers(at))
    kill_all(hulls(at), signal.SIGTERM)
    if not wait_gone(at, SHUTDOWN_S) or builders(at):
        cut_power(at)


def wait_for_ssh(at: Place) -> None:
    """Return when the machine's SSH server introduces itself."""
    end = time.monotonic() + ANSWERS_S
    while time.monotonic() < end:
        try:
            with socket.create_connection((at.address, 22), timeout=2) as cable:
                if cable.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    tail = at.console.read_text(errors="replace")[-1500:]
    message = f"{at.name} ({at.address}) does not answer SSH after {ANSWERS_S} s. Its console's end:\n{tail}"
    raise SystemExit(message)


def started_at(at: Place) -> float:
    """Return when the machine's present boot began, as the time its hull process was made."""
    found = hulls(at)
    return os.stat(f"/proc/{found[0]}").st_ctime if found else 0.0  # noqa: PTH116
