"""A second release and the way back, while requests keep coming and a long flow runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.support.machine import asked_runs, long_flow
from tests.support.machine.loopback import into_namespace
from tests.support.machine.memory import peak_memory
from tests.support.machine.place import PROJECT
from tests.support.machine.proof import FIRST, FULL, PAUSED_S, PEAK_MB, SECOND
from tests.support.machine.releases import history, make, make_started, serving, settled, switch_in_hand
from tests.support.machine.shell import on

LONG_FLOW_S = 60
SWITCHES = 10 if FULL else 4
RATE = 50


@contextmanager
def constant_load(machine):
    """50 requests a second at the web's socket, from beginning to end; yields where the report will be."""
    report = machine.folder / "load.json"
    report.unlink(missing_ok=True)
    command = into_namespace(machine, sys.executable, "-m", "tests.support.machine.load")
    loader = subprocess.Popen([*command, "--rate", str(RATE), "--report", str(report)], cwd=PROJECT)
    try:
        yield report
    finally:
        loader.send_signal(signal.SIGTERM)
        loader.wait(timeout=90)


def test_first_release_serves(machine):
    assert serving(machine)[1] == FIRST
    assert settled(machine) == []


def test_second_release_serves_and_the_long_flow_ends_in_the_first(machine, figure):
    old_slot, _ = serving(machine)
    deployment = long_flow.place_flow(machine, old_slot)
    run = long_flow.begin(machine, deployment, LONG_FLOW_S, "second-release")
    with peak_memory(machine) as peak:
        deployed = make(machine, "deploy", VERSION=SECOND)
    assert deployed.code == 0, deployed.said[-6000:]
    assert serving(machine)[1] == SECOND
    assert serving(machine)[0] != old_slot
    # No switch ends before the flow has.
    assert long_flow.state(machine, run)["type"] == "COMPLETED"
    told = long_flow.lines(machine, "second-release")
    assert [words[0] for words in told] == ["began", "ended"]
    assert {words[2] for words in told} == {f"/opt/portfolio/releases/{FIRST}/venv"}
    assert settled(machine) == []
    figure("deploy of a second release, s (a flow of 60 s in the way)", deployed.seconds)
    figure("its steps, s", history(machine)[-1]["step_s"])
    figure("memory at peak during it, MB (PSS, the whole machine)", {"peak": peak.megabytes, "looks": peak.looks})
    assert 0 < peak.megabytes < PEAK_MB


@contextmanager
def held_store(machine):
    """Hold the store's lock, as a flow does that writes."""
    lock = on(
        machine,
        'portfolio config show --json | python3 -c \'import json,sys; print(json.load(sys.stdin)["paths"]["store"])\'',
    )
    on(machine, f"systemd-run --unit=holds-the-store flock --exclusive {lock.strip()}.lock sleep 300")
    try:
        yield
    finally:
        on(machine, "systemctl stop holds-the-store")


def test_rollback_goes_back_in_time_though_somebody_writes_the_store(machine, figure):
    with held_store(machine):
        back = make(machine, "rollback")
    assert back.code == 0, back.said[-6000:]
    assert serving(machine)[1] == FIRST
    ended = history(machine)[-1]
    took = sum(ended["step_s"].values())
    # The goal is ten seconds; it is shown and not asserted, as any time that depends on the machine.
    figure("rollback, s", {"command": back.seconds, "on the host": round(took, 1), "steps": ended["step_s"]})
    assert settled(machine) == []


def test_a_refused_command_is_no_failure_of_the_host(machine):
    again = make(machine, "rollback")
    assert again.code != 0
    assert "serves since a rollback" in " ".join(again.said.split()), again.said[-3000:]  # Ansible breaks lines
    assert on(machine, "systemctl list-units --failed --plain --no-legend 'portfolio*'") == ""
    assert on(machine, "systemctl show --value --property=ActiveState portfolio-recover").strip() == "inactive"
    assert settled(machine) == []


def test_no_request_fails_and_no_run_is_lost_or_run_twice_through_switches_and_rollbacks(machine, figure):
    with constant_load(machine) as report, peak_memory(machine) as peak, asked_runs.asking(machine) as asked:
        for number in range(SWITCHES // 2):
            assert (deployed := make(machine, "deploy", VERSION=SECOND)).code == 0, deployed.said[-6000:]
            assert serving(machine)[1] == SECOND
            assert (back := make(machine, "rollback")).code == 0, back.said[-6000:]
            assert serving(machine)[1] == FIRST, number
        time.sleep(2)
    seen = json.loads(report.read_text())
    figure(
        f"load of {RATE} requests/s through {SWITCHES} switches and rollbacks",
        seen | {"failures": seen["failures"][:5]},
    )
    assert seen["answered"] > 100
    assert seen["failures"] == []
    paused = [line["paused_s"] for line in history(machine)[-SWITCHES:]]
    figure("scheduling paused, s, by switch", paused)
    assert max(paused) < PAUSED_S
    figure("memory at peak during them, MB", {"peak": peak.megabytes, "looks": peak.looks})
    assert 0 < peak.megabytes < PEAK_MB
    ended = asked_runs.ended(machine, asked)
    figure("runs asked for meanwhile, and how they ended", {"asked": len(asked), "ended": ended})
    assert ended == {"COMPLETED, run once": len(asked)}
    assert settled(machine) == []


def test_second_deploy_at_once_is_refused_and_the_first_goes_on(machine):
    first = make_started(machine, "deploy", VERSION=SECOND)
    until = time.monotonic() + 180
    while time.monotonic() < until and switch_in_hand(machine) is None:
        time.sleep(0.05)
    second = make(machine, "deploy", VERSION=SECOND)
    said, _ = first.communicate(timeout=600)
    assert second.code != 0
    assert "at work" in second.said
    assert first.returncode == 0, said[-6000:]
    assert serving(machine)[1] == SECOND
    assert settled(machine) == []
