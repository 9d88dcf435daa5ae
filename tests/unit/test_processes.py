"""Whether a process that left its number behind is still the same one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from portfolio.processes import UNTOLD, birth_of, is_alive, is_same_birth


def test_process_is_alive_while_it_runs_and_not_once_it_was_killed_and_never_asked_after():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert is_alive(child.pid)
        assert birth_of(child.pid)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the table
        assert not is_alive(child.pid)
        assert birth_of(child.pid) == ""
    finally:
        child.communicate()
    assert not is_alive(child.pid)


def test_process_of_another_user_is_alive():
    assert is_alive(1)


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_process_is_not_alive_when_its_number_can_be_none(pid):
    assert not is_alive(pid)


def test_birth_is_the_same_each_time_asked_and_another_for_another_process():
    assert birth_of(os.getpid()) == birth_of(os.getpid()) != ""
    assert birth_of(os.getpid()) != birth_of(1)
    assert birth_of(2**40) == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("boot-1 500", "boot-1 500", True),
        ("boot-1 500", "boot-1 501", False),
        ("boot-1 500", "boot-2 500", False),
        (f"{UNTOLD} 500", "boot-1 500", True),  # told in a sandbox, asked outside
        ("boot-1 500", f"{UNTOLD} 500", True),
        (f"{UNTOLD} 500", "boot-1 501", False),
        (f"{UNTOLD} 500", f"{UNTOLD} 500", True),
    ],
)
def test_births_are_compared_by_what_both_say(one, other, same):
    assert is_same_birth(one, other) == same
