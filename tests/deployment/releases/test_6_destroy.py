"""A machine whose making, or whose life, was cut short leaves nothing: no process, mount, interface, rule or file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.machine.place import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "pf-cut"
OTHER = {"VPS_NAME": NAME, "VPS_SUBNET": "10.98.14.0/24"}


def seen() -> dict[str, set[str]]:
    """What a machine could leave on this host, by its name or address."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if NAME in _text(path)]
    rules = _said("nft", "list", "ruleset").splitlines() if Path("/usr/sbin/nft").exists() else []
    return {
        "interfaces": {line for line in _said("ip", "-oneline", "link").splitlines() if NAME in line},
        "namespaces": {line for line in _said("ip", "netns", "list").splitlines() if NAME in line},
        "mounts": {line for line in mounts if NAME in line},
        "processes": {_text(path) for path in processes},
        "rules": {line for line in rules if NAME in line or "10.98.14." in line},
        "groups": {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{NAME}*")},
        "files": {
            str(path)
            for path in (*(PROJECT / "build/machine").glob(NAME), *Path("/run").glob(f"test-machines-*{NAME}*"))
        },
    }


# Its files are unpacked then; it boots then; it is up, and its keeper runs.
@pytest.mark.parametrize("after_s", [1, 6, None])
def test_nothing_stays_of_a_machine_that_was_cut_short(after_s):
    assert not any(seen().values())
    making = _started("up")
    if after_s is None:
        assert making.wait(timeout=180) == 0
    else:
        time.sleep(after_s)
    if making.poll() is None:
        os.killpg(making.pid, signal.SIGKILL)
        making.wait()
    assert any(seen().values()), "nothing had begun yet"
    assert _started("down").wait(timeout=120) == 0
    assert {what: left for what, left in seen().items() if left} == {}


def test_machine_goes_when_its_way_out_was_cut_short_while_it_was_noted_down():
    """Between the making of a file and its text there is a moment, which a kill can meet: every write fails here."""
    assert _started("open", _write_nothing).wait(timeout=60) != 0
    assert _started("down").wait(timeout=60) == 0
    assert {what: left for what, left in seen().items() if left} == {}


def _write_nothing() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _started(verb: str, first: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.machine", verb],
        cwd=PROJECT,
        env=os.environ | OTHER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=first,  # noqa: PLW1509  # this process has one thread
    )


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _text(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended meanwhile
        return ""
