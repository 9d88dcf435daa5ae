"""Releases with one thing wrong: each ends on the old one, in time, with its reason."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.support.bad_releases import ODD
from tests.support.machine.proof import BAD_RELEASE_S, FULL
from tests.support.machine.releases import history, make, serving, settled
from tests.support.machine.shell import on

# Release, the word of the reason, whether CI has time for it.
BAD = [
    ("health-fails", "health", False),
    ("health-fails-live", "health", True),
    ("worker-crashes", "worker", True),
    ("migration-fails", "migrat", False),
    ("signal-differs", "decision", True),
    ("smoke-fails", "smoke", False),
    ("no-way-back", "--accept-no-rollback", False),
]


@pytest.mark.parametrize(("name", "reason", "short"), BAD, ids=[row[0] for row in BAD])
def test_bad_release_ends_on_the_old_one_with_its_reason(machine, figure, name, reason, short):
    if not (FULL or short):
        pytest.skip("proven by `make prove-vps`")
    before = serving(machine)
    ended = make(machine, "deploy", VERSION=ODD[name].version)
    assert ended.code != 0
    assert serving(machine) == before
    assert settled(machine) == []
    assert reason in ended.said.lower(), ended.said[-4000:]
    figure(f"bad release {name}", {"s": ended.seconds, "reason": _reason(ended.said)})
    assert ended.seconds < BAD_RELEASE_S


@contextmanager
def small_disk(machine, folder, size):
    """A folder on a disk with hardly any room, its content still there."""
    on(
        machine,
        f"mkdir -p /run/kept && mount --bind {folder} /run/kept && mount -t tmpfs -o size={size} tmpfs {folder}"
        " && cd /run/kept"
        f' && for d in *; do [ -d "$d" ] && mkdir "{folder}/$d" && mount --bind "$d" "{folder}/$d"; done; true',
    )
    try:
        yield
    finally:
        on(machine, f"umount --recursive {folder}; umount /run/kept")


def test_full_disk_refuses_the_release_and_leaves_nothing_half(machine, figure):
    before = serving(machine)
    with small_disk(machine, "/opt/portfolio/releases", "60m"):
        ended = make(machine, "deploy", VERSION=ODD["disk-full"].version)
    assert ended.code != 0
    assert "space" in ended.said.lower() or "room" in ended.said.lower(), ended.said[-4000:]
    assert serving(machine) == before
    assert settled(machine) == []
    assert ODD["disk-full"].version not in on(machine, "ls /opt/portfolio/releases")
    figure("bad release disk-full", {"s": ended.seconds, "reason": _reason(ended.said)})


def test_failures_stand_in_the_history_for_the_alert(machine):
    assert "rolled-back" in {line["outcome"] for line in history(machine)}


def test_declared_signal_change_is_let_through_and_recorded(machine):
    before = serving(machine)
    ended = make(machine, "deploy", VERSION=ODD["signal-differs"].version, EXPECT_SIGNAL_CHANGE="new stressed table")
    assert ended.code == 0, ended.said[-4000:]
    assert history(machine)[-1]["expected_change"] == "new stressed table"
    back = make(machine, "rollback")
    assert back.code == 0, back.said[-4000:]
    assert serving(machine)[1] == before[1]
    assert settled(machine) == []


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


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if "ended with exit code" in line]
    return lines[-1][:300] if lines else said.strip().splitlines()[-1][:300]
