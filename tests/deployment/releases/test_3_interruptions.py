"""Kill -9 of the release tool at each of its steps, and a reboot at some: one release serves, and a deploy succeeds.

The steps are those that a switch was seen to take; each row of the table is printed with the figures.
"""

from __future__ import annotations

import time

import pytest

from tests.support.bad_releases import ODD
from tests.support.machine.power import cut_power, switch_on
from tests.support.machine.proof import FIRST, FULL, REBOOT_S, SECOND
from tests.support.machine.releases import (
    as_portfolio,
    history,
    hold_release_tool,
    is_held,
    kill_release_tool,
    let_go,
    make,
    make_started,
    serving,
    settled,
)
from tests.support.machine.shell import attempt, document, on

SHORT_KILLS = [("flip", 0), ("prove", 0.5), ("resume", 0)]
LONG_STEPS = ("check", "start", "prove", "drain", "watch")
MIGRATION_KILLS = [("pause", 0), ("wait", 0.5), ("copy", 0), ("migrate", 0.5), ("migrate", 0)]
REBOOTS = 3 if FULL else 1
STEP_COMES_S = 240


def other_version(machine):
    return FIRST if serving(machine)[1] == SECOND else SECOND


@pytest.fixture(scope="module")
def steps(machine):
    """The steps of the last good switch that migrated nothing, in their order; the last of them does the writing."""
    good = [line for line in history(machine) if (line["verb"], line["outcome"]) == ("switch", "done") and line["from"]]
    steps = [line["step_s"] for line in good if "migrate" not in line["step_s"]]
    assert steps, "No release was switched to yet: test_1_second_release.py does."
    return [*steps[-1], "confirm"]


def interrupted_at(machine, step, interrupt, version=None):
    """Begin a deploy, interrupt it at a step, and return what became of the controller's command."""
    hold_release_tool(machine, step)
    process = make_started(machine, "deploy", VERSION=version or other_version(machine))
    try:
        until = time.monotonic() + STEP_COMES_S
        while time.monotonic() < until and not is_held(machine) and process.poll() is None:
            time.sleep(0.1)
        assert is_held(machine), f"the step {step} did not come"
        interrupt()
    finally:
        let_go(machine)
        said, _ = process.communicate(timeout=600)
    return process.returncode, said


def test_killed_migration_leaves_the_old_release_and_the_old_store(machine, figure):
    rows = MIGRATION_KILLS if FULL else MIGRATION_KILLS[-1:]
    before, migrates, wrong = serving(machine), ODD["migrates"].version, {}
    for step, after_s in rows:
        code, said = interrupted_at(
            machine, step, lambda after_s=after_s: kill_release_tool(machine, after_s), migrates
        )
        disorder, after = settled(machine), serving(machine)
        plan = document(machine, as_portfolio("migrate --plan --json", f"releases/{migrates}"))
        figure(
            "kill -9 of the release tool", {"step": step, "after s": after_s, "after": after[1], "deploy said": code}
        )
        if code == 0 or disorder or after != before or not plan["pending"]:
            wrong[f"{step} + {after_s} s"] = {"disorder": disorder, "plan": plan, "said": said[-1500:]}
    assert wrong == {}


def test_release_that_migrates_is_switched_to_and_rolled_back_from(machine, figure):
    before = serving(machine)
    ended = make(machine, "deploy", VERSION=ODD["migrates"].version)
    assert ended.code == 0, ended.said[-4000:]
    assert settled(machine) == []
    figure("switch with a migration", {"s": ended.seconds, "paused_s": history(machine)[-1]["paused_s"]})
    back = make(machine, "rollback")
    assert back.code == 0, back.said[-4000:]
    assert serving(machine)[1] == before[1]
    assert settled(machine) == []


def test_killed_tool_leaves_one_release_serving_whatever_the_step(machine, steps, figure):
    # At the first instant of each step, and in the midst of those that take a while.
    rows = [(step, after_s) for step in steps for after_s in (0, 0.5) if not after_s or step in LONG_STEPS]
    rows = rows if FULL else SHORT_KILLS
    wrong = {}
    for step, after_s in rows:
        before = serving(machine)[1]
        began = time.monotonic()
        code, said = interrupted_at(machine, step, lambda after_s=after_s: kill_release_tool(machine, after_s))
        disorder = settled(machine)
        after = serving(machine)[1]
        repeated = make(machine, "deploy", VERSION=SECOND if after == FIRST else FIRST)
        left = settled(machine)
        row = {"step": step, "after s": after_s, "before": before, "after": after, "deploy said": code}
        took = {"s": round(time.monotonic() - began), "repeated deploy": repeated.code}
        figure("kill -9 of the release tool", row | took)
        if code == 0 or disorder or repeated.code or left:
            seen = {"disorder": disorder, "left": left, "said": said[-1500:], "repeated": repeated.said[-1500:]}
            wrong[f"{step} + {after_s} s"] = seen
    assert wrong == {}


@pytest.mark.parametrize("number", range(REBOOTS))
def test_rebooted_host_serves_one_release_whatever_the_step(machine, steps, figure, number):
    step = steps[len(steps) * (2 * number + 1) // (2 * REBOOTS)]
    before = serving(machine)[1]
    # The second is a power cut, and the short proof's only one: nothing is told to end.
    cut = number == 1 or not FULL
    seen: dict[str, float] = {}

    def reboot() -> None:
        seen["at"] = time.monotonic()
        if cut:
            cut_power(machine)
            let_go(machine)
            switch_on(machine)
        else:
            let_go(machine)
            attempt(machine, "systemctl reboot")

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
