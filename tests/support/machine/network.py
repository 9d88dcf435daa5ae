"""The machine's cable, and its way to the outside, which can be taken away."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine.commands import run, succeeds

if TYPE_CHECKING:
    from tests.support.machine.place import Place

FORWARDING = Path("/proc/sys/net/ipv4")
INSIDE = "host0"
TABLE = "test_"
# What this host's forwarding was before the first machine opened its way out; the last one that closes puts it back.
KEPT = Path("/run/test-machines-forwarding.json")


def plug_in(at: Place) -> None:
    """Make the network namespace and the pair of interfaces between it and this host."""
    run("ip", "netns", "add", at.name)
    run("ip", "link", "add", at.cable, "type", "veth", "peer", "name", INSIDE, "netns", at.name)
    run("ip", "addr", "add", f"{at.gateway}/{at.subnet.prefixlen}", "dev", at.cable)
    run("ip", "link", "set", at.cable, "up")
    run("ip", "-n", at.name, "addr", "add", f"{at.address}/{at.subnet.prefixlen}", "dev", INSIDE)
    run("ip", "-n", at.name, "link", "set", "lo", "up")
    run("ip", "-n", at.name, "link", "set", INSIDE, "up")
    run("ip", "-n", at.name, "route", "add", "default", "via", at.gateway)


def unplug(at: Place) -> None:
    """Take away what `plug_in` made, as far as it is there.

    The cable first: the kernel takes a namespace's end of it away later than the namespace, at a time of its own.
    """
    if Path("/sys/class/net", at.cable).exists():
        run("ip", "link", "del", at.cable)
    if Path("/run/netns", at.name).exists():
        run("ip", "netns", "del", at.name)


def open_way_out(at: Place) -> None:
    """Let the machine reach what this host reaches, under this host's address."""
    if succeeds("nft", "list", "table", "ip", _table(at)):
        return
    outer = _outer_interface()
    _remember_forwarding(at, outer)
    for interface in (at.cable, outer):
        _forwarding(interface).write_text("1")
    rule = f'ip saddr {at.subnet} oifname != "{at.cable}" masquerade'
    run(
        "nft",
        "-f",
        "-",
        stdin=f"table ip {_table(at)} {{ chain out {{ type nat hook postrouting priority 100; {rule}; }}; }}",
    )


def close_way_out(at: Place) -> None:
    """Leave the machine with its cable to us alone, and this host's forwarding as it was."""
    if succeeds("nft", "list", "table", "ip", _table(at)):
        run("nft", "delete", "table", "ip", _table(at))
    if Path("/sys/class/net", at.cable).exists():
        _forwarding(at.cable).write_text("0")
    if KEPT.exists() and not _others_open(at):
        was = json.loads(KEPT.read_text())
        # Someone who turned on forwarding for the whole host meanwhile goes on needing it.
        if (FORWARDING / "ip_forward").read_text().strip() == was["host"]:
            _forwarding(was["interface"]).write_text(was["value"])
        KEPT.unlink()
    _aside(at).unlink(missing_ok=True)


def _remember_forwarding(at: Place, outer: str) -> None:
    """Write it down whole or not at all, whenever this is killed; of two machines the first."""
    if not KEPT.exists():
        host = (FORWARDING / "ip_forward").read_text().strip()
        was = {"interface": outer, "value": _forwarding(outer).read_text().strip(), "host": host}
        _aside(at).write_text(json.dumps(was))
        with suppress(FileExistsError):
            KEPT.hardlink_to(_aside(at))
        _aside(at).unlink()


def _aside(at: Place) -> Path:
    return KEPT.with_name(f"{KEPT.name}.{at.name}")


def _others_open(at: Place) -> bool:
    """Tell whether another machine still has its way out, through the same interface of this host."""
    tables = [line.split()[-1] for line in run("nft", "list", "tables", "ip").splitlines()]
    return any(name.startswith(TABLE) and name != _table(at) for name in tables)


def _table(at: Place) -> str:
    return f"{TABLE}{at.name.replace('-', '_')}"


def _outer_interface() -> str:
    routes = json.loads(run("ip", "-json", "route", "show", "default"))
    if not routes:
        message = "This host has no default route: the machine would reach no package mirror."
        raise SystemExit(message)
    return str(routes[0]["dev"])


def _forwarding(interface: str) -> Path:
    return FORWARDING / "conf" / interface / "forwarding"
