"""From outside there is SSH and nothing else, by IPv4 and IPv6, even for what listens."""

from __future__ import annotations

import asyncio
import json

from tests.support.machine.commands import run
from tests.support.machine.shell import on

EVERY_PORT = range(1, 65536)
PATIENCE_S = 1.5
AT_A_TIME = 4000
# What one of them would give away: SSH, Prefect, web, Prometheus, node exporter, and usual suspects.
TELLING_PORTS = (22, 25, 53, 80, 111, 443, 4200, 5355, 8080, 9090, 9100)


async def open_ports(address: str, ports: range | tuple[int, ...]) -> list[int]:
    """Return the ports that take a TCP connection."""
    places = asyncio.Semaphore(AT_A_TIME)

    async def is_open(port: int) -> int | None:
        async with places:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE_S)
            except (OSError, TimeoutError):
                return None
            writer.close()
            return port

    return [port for port in await asyncio.gather(*map(is_open, ports)) if port]


def test_outside_sees_only_ssh_when_every_port_is_tried(machine):
    assert asyncio.run(open_ports(machine.address, EVERY_PORT)) == [22]


def test_outside_sees_only_ssh_by_the_link_local_ipv6_address_too(machine):
    links = json.loads(run("ip", "-n", machine.name, "-json", "-6", "addr", "show", "dev", "host0"))
    address = next(item["local"] for item in links[0]["addr_info"] if item["scope"] == "link")
    assert asyncio.run(open_ports(f"{address}%{machine.cable}", TELLING_PORTS)) == [22]


def test_services_listen_on_loopback_only_ssh_aside(machine):
    lines = [line.split() for line in on(machine, "ss -tulnH").splitlines()]
    elsewhere = {fields[4] for fields in lines if not fields[4].startswith(("127.", "[::1]"))}
    assert elsewhere == {"0.0.0.0:22", "[::]:22"}


def test_every_service_of_ours_listens(machine):
    listening = {line.split()[3] for line in on(machine, "ss -tlnH").splitlines()}
    assert {f"127.0.0.1:{port}" for port in (4200, 8080, 9090, 9100)} <= listening
