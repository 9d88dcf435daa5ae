"""Processes in the background: one that ended is told as such and collected, whenever it did."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from flows import processes
from flows.processes import Background
from portfolio.processes import birth_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


ASLEEP = ["/bin/sleep", "600"]
DEAF = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


def _started(folder: Path, command: Sequence[str] = ASLEEP) -> tuple[Background, int]:
    background = Background("sleeper", folder)
    background.start(command, {"PATH": "/usr/bin:/bin"}, {})
    return background, background.facts()["pid"]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the table


def _is_collected(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # no child of ours any more: neither alive nor waiting to be asked
        return True
    return False


def test_process_that_ended_is_collected_when_it_is_asked_after(tmp_path):
    background, pid = _started(tmp_path)
    assert background.runs()
    _kill(pid)
    assert not background.runs()
    assert _is_collected(pid)


def test_process_is_collected_when_it_ends_while_it_is_asked_after(tmp_path, monkeypatch):
    background, pid = _started(tmp_path)

    def ends_now(asked: int) -> str:
        _kill(asked)
        return birth_of(asked)

    monkeypatch.setattr(processes, "birth_of", ends_now)
    assert not background.runs()
    assert _is_collected(pid)


@pytest.mark.parametrize("command", [ASLEEP, DEAF])
def test_process_that_was_ended_is_collected_and_leaves_no_record(command, tmp_path):
    background, pid = _started(tmp_path, command)
    background.end(2.0)
    assert _is_collected(pid)
    assert not background.record.exists()
