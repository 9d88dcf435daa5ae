"""Kill -9 of the release tool at each of its steps, and a reboot at some: one release serves, and a deploy succeeds.

The steps are those that a switch was seen to take; each row of the table is printed with the figures.
"""

from __future__ import annotations

import time

import pytest

from tests.support.machine.power import cut_power, switch_on
from tests.support.machine.proof import FIRST, FULL, REBOOT_S, SECOND
from tests.support.machine.releases import (
    history,
    kill_release_tool,
    make,
    make_started,
    serving,
    settled,
    switch_in_hand,
)
from tests.support.machine.shell import attempt, on

SHORT_KILLS = 3
REBOOTS = 3 if FULL else 1
STEP_COMES_S = 240


def other_version(machine):
    return FIRST if serving(machine)[1] == SECOND else SECOND


@pytest.fixture(scope="module")
def steps(machine):
    """The steps of a good switch, in their order, as the tool wrote them down."""
    seen = make(machine, "deploy", VERSION=other_version(machine))
    assert seen.code == 0, seen.said[-4000:]
    return list(history(machine)[-1]["step_s"])


def wait_for_step(machine, step):
    """Return once the step has begun; tell whether it did before the switch ended."""
    until = time.monotonic() + STEP_COMES_S
    begun = False
    while time.monotonic() < until:
        switch = switch_in_hand(machine)
        begun = begun or switch is not None
        if switch and switch["step"] == step:
            return True
        if begun and switch is None:
            return False
        time.sleep(0.005)
    return False


def interrupted_at(machine, step, interrupt):
    """Begin a deploy, interrupt it at a step, and return what became of the controller's command."""
    process = make_started(machine, "deploy", VERSION=other_version(machine))
    try:
        assert wait_for_step(machine, step), f"the step {step} did not come"
        interrupt()
    finally:
        said, _ = process.communicate(timeout=600)
    return process.returncode, said


def test_killed_tool_leaves_one_release_serving_whatever_the_step(machine, steps, figure):
    chosen = steps if FULL else steps[:: max(1, len(steps) // SHORT_KILLS)]
    table, wrong = [], {}
    for step in chosen:
        before = serving(machine)[1]
        began = time.monotonic()
        code, said = interrupted_at(machine, step, lambda: kill_release_tool(machine))
        disorder = settled(machine)
        after = serving(machine)[1]
        repeated = make(machine, "deploy", VERSION=SECOND if after == FIRST else FIRST)
        left = settled(machine)
        row = {
            "step": step,
            "before": before,
            "after": after,
            "deploy said": code,
            "s": round(time.monotonic() - began),
        }
        table.append(row | {"repeated deploy": repeated.code})
        figure("kill -9 of the release tool", table[-1])
        if code == 0 or disorder or repeated.code or left:
            wrong[step] = {"disorder": disorder, "left": left, "said": said[-1500:], "repeated": repeated.said[-1500:]}
    assert wrong == {}


@pytest.mark.parametrize("number", range(REBOOTS))
def test_rebooted_host_serves_one_release_whatever_the_step(machine, steps, figure, number):
    step = steps[len(steps) * (2 * number + 1) // (2 * REBOOTS)]
    before = serving(machine)[1]
    # The second is a power cut: nothing is told to end.
    cut = number == 1
    seen: dict[str, float] = {}

    def reboot() -> None:
        seen["at"] = time.monotonic()
        if cut:
            cut_power(machine)
            switch_on(machine)
        else:
            attempt(machine, "systemctl reboot --force" if number else "systemctl reboot")

    interrupted_at(machine, step, reboot)
    disorder = settled(machine, REBOOT_S)
    took = round(time.monotonic() - seen["at"], 1)
    after = serving(machine)[1]
    repeated = make(machine, "deploy", VERSION=SECOND if after == FIRST else FIRST)
    row = {
        "step": step,
        "how": "power cut" if cut else "reboot",
        "before": before,
        "after": after,
        "ready after s": took,
    }
    figure("reboot during a switch", row | {"repeated deploy": repeated.code})
    assert disorder == []
    assert repeated.code == 0, repeated.said[-4000:]
    assert settled(machine) == []


def test_rebooted_host_is_ready_again_and_lost_nothing(machine, figure):
    before = serving(machine)
    boot = on(machine, "cat /proc/sys/kernel/random/boot_id; journalctl --list-boots | wc -l")
    began = time.monotonic()
    attempt(machine, "systemctl reboot")
    time.sleep(3)
    assert settled(machine, REBOOT_S) == []
    figure("reboot to ready, s", round(time.monotonic() - began, 1))
    assert serving(machine) == before
    assert int(on(machine, "journalctl --list-boots | wc -l")) > int(boot.split()[-1])
    assert on(machine, "systemctl --failed --plain --no-legend") == ""
