"""The units: sound, tightly closed, and telling at a glance what serves."""

from __future__ import annotations

import re

import pytest

from tests.support.machine.shell import attempt, on

OURS = "ls /etc/systemd/system | grep -E '^(portfolio|prefect).*\\.(service|socket|timer|target|slice)$'"
LARGEST_EXPOSURE = 2.0


def test_no_unit_has_failed(machine):
    assert on(machine, "systemctl --failed --plain --no-legend") == ""


def test_units_are_sound_when_systemd_reads_them(machine):
    names = [f"/etc/systemd/system/{name}" for name in on(machine, OURS).split()]
    ended = attempt(machine, f"systemd-analyze verify --man=no {' '.join(names)}".replace("@.", "@blue."))
    ours = [line for line in (ended.stdout + ended.stderr).splitlines() if re.search(r"portfolio|prefect", line)]
    assert ours == []


def test_units_exposure_is_small_when_systemd_scores_them(machine, figure):
    scores = {}
    for name in on(machine, OURS).split():
        if name.endswith(".service"):
            unit = name.replace("@.", "@blue." if "worker" in name else "@switch.")
            said = attempt(machine, f"systemd-analyze security --no-pager {unit}").stdout
            scores[unit] = float(re.findall(r"Overall exposure level .*?: ([\d.]+)", said)[0])
    figure("exposure by systemd-analyze security", scores)
    assert {unit: score for unit, score in scores.items() if score > LARGEST_EXPOSURE} == {}


@pytest.mark.parametrize("unit", ["prefect-server.service", "portfolio-web.socket", "portfolio-deadman.timer"])
def test_unit_runs(machine, unit):
    assert on(machine, f"systemctl is-active {unit}").strip() == "active"


def test_only_the_serving_slots_worker_runs(machine):
    slot = on(machine, "basename $(readlink /opt/portfolio/current)").strip()
    states = {
        name: attempt(machine, f"systemctl is-active portfolio-worker@{name}").stdout.strip()
        for name in ("blue", "green")
    }
    assert states == {name: "active" if name == slot else "inactive" for name in states}


@pytest.mark.parametrize("unit", ["portfolio-web", "portfolio-worker@*"])
def test_status_line_names_release_and_slot(machine, unit):
    slot = on(machine, "basename $(readlink /opt/portfolio/current)").strip()
    version = on(machine, "basename $(readlink -f /opt/portfolio/current)").strip()
    line = on(machine, f"systemctl show -P StatusText '{unit}'")
    assert version in line
    assert slot in line


def test_system_is_running_without_a_complaint(machine):
    assert attempt(machine, "systemctl is-system-running").stdout.strip() == "running"
