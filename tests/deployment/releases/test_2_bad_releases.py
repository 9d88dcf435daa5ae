"""Releases with one thing wrong: each ends on the old one, in time, with its reason."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager

import pytest

from tests.support.bad_releases import ODD
from tests.support.machine.place import PROJECT
from tests.support.machine.proof import BAD_RELEASE_S, FIRST, FULL, SECOND
from tests.support.machine.releases import history, make, make_started, serving, settled, switch_in_hand
from tests.support.machine.shell import on

# Release, the word of the reason, whether CI has time for it.
BAD = [
    ("health-fails", "health", False),
    ("health-fails-live", "health", True),
    ("worker-crashes", "worker", True),
    ("migration-fails", "migrat", False),
    ("migration-fails-live", "no such table in the live store", True),
    ("signal-differs", "otherwise than the serving one", True),
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
    assert reason in " ".join(ended.said.lower().split()), ended.said[-4000:]
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


@contextmanager
def tampered(artefact):
    """An artefact with one byte changed in its midst; the true one comes back."""
    true = artefact.with_name(f"{artefact.name}.true")
    shutil.move(artefact, true)
    try:
        shutil.copy(true, artefact)
        with artefact.open("r+b") as file:
            place = artefact.stat().st_size // 2
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 0xFF]))
        yield
    finally:
        shutil.move(true, artefact)


def test_tampered_artefact_is_refused_and_leaves_nothing(machine, figure):
    before, version = serving(machine), ODD["disk-full"].version
    with tampered(PROJECT / "dist" / f"portfolio-{version}.tar"):
        ended = make(machine, "deploy", VERSION=version)
    assert ended.code != 0
    assert "manifest says" in " ".join(ended.said.lower().split()), ended.said[-4000:]
    assert serving(machine) == before
    assert settled(machine) == []
    assert version not in on(machine, "ls /opt/portfolio/releases")
    figure("tampered artefact", {"s": ended.seconds, "reason": _reason(ended.said)})


def test_controller_that_dies_leaves_the_host_to_finish_by_itself(machine, figure):
    other, lines = FIRST if serving(machine)[1] == SECOND else SECOND, len(history(machine))
    controller = make_started(machine, "deploy", VERSION=other)
    until = time.monotonic() + BAD_RELEASE_S
    while time.monotonic() < until and switch_in_hand(machine) is None and controller.poll() is None:
        time.sleep(0.05)
    os.killpg(controller.pid, signal.SIGKILL)
    controller.communicate()
    died = time.monotonic()
    while time.monotonic() < until and len(history(machine)) == lines:
        time.sleep(0.5)
    assert history(machine)[-1]["outcome"] == "done"
    assert serving(machine)[1] == other
    assert settled(machine) == []
    figure("switch ended after its controller's death, s", round(time.monotonic() - died, 1))


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


def _reason(said: str) -> str:
    """The playbook's last word, which is folded into several lines."""
    _, found, words = said.rpartition("ended with exit code")
    return " ".join((found + words if found else said).split())[:300]
