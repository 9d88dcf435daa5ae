"""The host's own state: keys only, a firewall that survives, updates by themselves, a bounded journal."""

from __future__ import annotations

from subprocess import run

import pytest

from tests.support.machine.shell import attempt, on, ssh_options


def test_ssh_lets_in_keys_only(machine):
    rules = dict(line.split(" ", 1) for line in on(machine, "sshd -T").splitlines() if " " in line)
    assert rules["passwordauthentication"] == "no"
    assert rules["kbdinteractiveauthentication"] == "no"
    assert rules["permitemptypasswords"] == "no"
    assert rules["permitrootlogin"] in {"without-password", "prohibit-password", "no"}


def test_ssh_offers_no_password_when_a_client_asks_for_one(machine):
    without_key = [*ssh_options(machine), "-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes"]
    without_key = [part for part in without_key if part not in ("-i", str(machine.key))]
    said = run(
        ["/usr/bin/ssh", *without_key, f"root@{machine.address}", "true"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 255
    assert "password" not in said.stderr.split("(")[-1].replace("Permission denied", "")


def test_firewall_drops_what_it_does_not_know(machine):
    rules = on(machine, "nft list chain inet filter input 2>/dev/null || nft list ruleset")
    assert "policy drop" in rules
    assert on(machine, "systemctl is-enabled nftables").strip() == "enabled"


def test_security_updates_install_themselves(machine):
    settings = on(machine, "apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'APT::Periodic::Update-Package-Lists "1";' in settings
    assert "Debian-Security" in settings or "bookworm-security" in settings


def test_journal_is_kept_across_boots_and_bounded(machine):
    assert attempt(machine, "test -d /var/log/journal").returncode == 0
    settings = on(machine, "systemd-analyze cat-config systemd/journald.conf")
    assert [line for line in settings.splitlines() if line.startswith("SystemMaxUse=")]


@pytest.mark.parametrize("package", ["unattended-upgrades", "nftables", "prometheus", "prometheus-node-exporter"])
def test_package_is_installed(host, package):
    assert host.package(package).is_installed
