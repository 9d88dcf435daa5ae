"""A release's command that hangs is ended, and what it has started with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from portfolio.processes import is_alive
from portfolio.release.failures import ReleaseError
from portfolio.release.host import Host
from portfolio.release.layout import Layout

HANGS = "echo $$ > pids; (echo $(sh -c 'echo $PPID') >> pids; exec sleep 300) & sleep 300"
# As in the tool's sandbox: root, who may signal nobody else's processes.
AS_ANOTHER = """
import os, sys
from pathlib import Path
from portfolio.release.failures import ReleaseError
from portfolio.release.host import _run
try:
    _run(["/bin/sh", "-c", sys.argv[1]], 1, cwd=sys.argv[2], user=65534, group=65534, extra_groups=[])
except ReleaseError as error:
    print(error)
"""


def test_command_that_hangs_is_ended_with_what_it_started(tmp_path):
    (tmp_path / "etc/portfolio").mkdir(parents=True)
    host = Host(Layout(tmp_path), "http://127.0.0.1:1/api", "http://127.0.0.1:1")
    with pytest.raises(ReleaseError, match="had not ended after 1 s, and was ended"):
        host.run_as_service(["/bin/sh", "-c", HANGS], None, (), 1)
    assert _living(tmp_path / "etc/portfolio/pids") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_command_of_another_user_is_ended_by_a_root_without_the_right_to_signal_it(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    without = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]
    ended = subprocess.run(
        [*without, sys.executable, "-c", AS_ANOTHER, HANGS, str(folder)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "had not ended after 1 s" in ended.stdout
    assert _living(folder / "pids") == []


def _living(pids):
    noted = [int(pid) for pid in pids.read_text().split()]
    assert len(noted) == 2
    until = time.monotonic() + 10  # an orphan is its new parent's to take leave of
    while time.monotonic() < until and any(is_alive(pid) for pid in noted):
        time.sleep(0.05)
    return [pid for pid in noted if is_alive(pid)]
