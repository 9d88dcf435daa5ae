"""Provisioning again: `--check --diff` finds nothing to change, and what the release would refuse is refused before."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.support.machine.place import PROJECT
from tests.support.machine.shell import on

CHECK = ("--check", "--diff")
SETTINGS = ("--tags", "portfolio_preflight,portfolio_configure,portfolio_run")
ADDRESS = "https://hc-ping.com/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
# What is given, and the word that tells which of it is wrong.
REFUSED = {
    "a-setting": ({"portfolio_settings": {"INITIAL_CASH": "abc"}}, "INITIAL_CASH"),
    "a-time-without-quotes": ({"portfolio_settings": {"PORTFOLIO_BACKUP_AT": 1335}}, "PORTFOLIO_BACKUP_AT"),
    "an-address-for-the-uuid": ({"portfolio_healthcheck_uuid": ADDRESS}, "HEALTHCHECK_UUID"),
    "a-key-with-a-blank": ({"portfolio_fred_api_key": "0123 4567"}, "FRED_API_KEY"),
}
SEEN = (
    "sha256sum /etc/portfolio/portfolio.toml /etc/portfolio/credentials/* /etc/systemd/system/portfolio-*.d/*;"
    " systemctl show --property=MainPID portfolio-worker@blue portfolio-worker@green portfolio-web"
)


def provision(machine, *arguments):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    return subprocess.run(
        [PROJECT / ".venv-deploy/bin/ansible-playbook", "-i", "inventories/test", "site.yml", *arguments],
        cwd=PROJECT / "ansible", env=kept | {"HOST": machine.address, "VPS_KEY": str(machine.key)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=600, check=False,
    )  # fmt: skip


def test_check_mode_finds_nothing_to_change_on_a_provisioned_host(machine):
    ended = provision(machine, *CHECK)
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert re.findall(r"changed=(\d+)", ended.stdout) == ["0"], ended.stdout[-4000:]
    assert "is it spelt right?" not in ended.stdout


@pytest.mark.parametrize("checked", [False, True], ids=["done", "looked-at"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_no_release_would_start_with_is_refused_and_the_host_is_as_before(machine, what, checked):
    given, named = REFUSED[what]
    before = on(machine, SEEN)
    ended = provision(machine, *SETTINGS, "--extra-vars", json.dumps(given), *(CHECK if checked else ()))
    assert ended.returncode == 2, ended.stdout[-4000:]
    assert named in ended.stdout
    assert ADDRESS not in ended.stdout
    assert on(machine, SEEN) == before


def test_key_that_the_release_does_not_know_is_told(machine):
    ended = provision(
        machine, *SETTINGS, "--extra-vars", json.dumps({"portfolio_settings": {"INITAL_CASH": 1}}), *CHECK
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "INITAL_CASH" in ended.stdout
    assert "is it spelt right?" in ended.stdout
