"""From outside there is SSH and nothing else, by IPv4 and IPv6, even for what listens."""

from __future__ import annotations

import json
import select
import socket

from tests.support.machine.commands import run
from tests.support.machine.shell import on

EVERY_PORT = range(1, 65536)
# All doors of a batch are knocked at, then one look tells which opened: the firewall answers no knock.
BATCH = 8000
PATIENCE_S = 3
# What one of them would give away: SSH, Prefect, web, Prometheus, node exporter, and usual suspects.
TELLING_PORTS = (22, 25, 53, 80, 111, 443, 4200, 5355, 8080, 9090, 9100)


def open_ports(address, ports):
    """Return the ports that take a TCP connection."""
    found = []
    for begin in range(0, len(ports), BATCH):
        found += _opened(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0], ports[begin : begin + BATCH])
    return found


def _opened(resolved, ports):
    family, address = resolved[0], resolved[4]
    doors = {}
    poll = select.poll()
    for port in ports:
        door = socket.socket(family, socket.SOCK_STREAM)
        door.settimeout(0)
        door.connect_ex((address[0], port, *address[2:]))
        poll.register(door, select.POLLOUT)
        doors[door.fileno()] = (port, door)
    select.select([], [], [], PATIENCE_S)
    answered = [number for number, _ in poll.poll(0)]
    found = [doors[number][0] for number in answered if _is_connected(doors[number][1])]
    for _, door in doors.values():
        door.close()
    return found


def _is_connected(door):
    return door.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_outside_sees_only_ssh_when_every_port_is_tried(machine):
    assert open_ports(machine.address, EVERY_PORT) == [22]


def test_outside_sees_only_ssh_by_the_link_local_ipv6_address_too(machine):
    links = json.loads(run("ip", "-n", machine.name, "-json", "-6", "addr", "show", "dev", "host0"))
    address = next(item["local"] for item in links[0]["addr_info"] if item["scope"] == "link")
    assert open_ports(f"{address}%{machine.cable}", TELLING_PORTS) == [22]


def test_services_listen_on_loopback_only_ssh_aside(machine):
    lines = [line.split() for line in on(machine, "ss -tulnH").splitlines()]
    elsewhere = {fields[4] for fields in lines if not fields[4].startswith(("127.", "[::1]"))}
    assert elsewhere == {"0.0.0.0:22", "[::]:22"}


def test_every_service_of_ours_listens(machine):
    listening = {line.split()[3] for line in on(machine, "ss -tlnH").splitlines()}
    assert {f"127.0.0.1:{port}" for port in (4200, 8080, 9090, 9100)} <= listening
