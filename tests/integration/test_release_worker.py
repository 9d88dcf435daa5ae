"""What the worker's unit asks of the release tool: draining before a stop, and being heard of after a start."""

from __future__ import annotations

import socket
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode
from tests.support.releases.host import release_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.releases.host import FakeHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    with release_host(tmp_path) as host:
        host.add("1.0")
        host.api.queues = {"blue": True, "green": True}
        yield host


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with a flow that takes three seconds."""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 3; touch flow-ended; exec sleep 1000"], cwd=tmp_path) as worker:
        yield worker
        worker.kill()


def test_drain_pauses_the_queue_and_waits_for_the_flow(host, flow):
    host.api.queues["blue"] = False
    code, words = host.run("drain", "blue", MAINPID=str(flow.pid))
    assert (code, words) == (0, "drain blue: no flow runs\n")
    assert (host.root / "flow-ended").exists()
    assert host.api.queues["blue"] is True
    assert flow.poll() is None  # systemd's to end, now that it has no flow


def test_drain_waits_for_a_run_whose_process_is_yet_to_come(host, flow):
    host.api.pending = [datetime.now(UTC).isoformat()]
    code, words = host.run("drain", "blue", "--drain-s", "5", MAINPID=str(flow.pid))
    assert code == 1
    assert "a flow still runs after 5 s" in words


def test_drain_waits_for_the_flow_when_prefect_does_not_answer(host, flow):
    host.api.dead = True
    code, words = host.run("drain", "blue", MAINPID=str(flow.pid))
    assert code == 0
    assert "does not answer" in words
    assert words.endswith("drain blue: no flow runs\n")


def test_drain_does_nothing_when_the_worker_has_ended_by_itself(host):
    assert host.run("drain", "blue") == (0, "")
    assert host.api.events == []


@pytest.mark.parametrize(("serving", "opened"), [("blue", True), ("green", False)])
def test_worker_is_online_and_the_queue_of_a_serving_slot_goes_on(host, flow, serving, opened):
    (host.root / "opt/portfolio/current").symlink_to(f"slots/{serving}")
    host.api.workers = {"worker-blue": "ONLINE"}
    code, words = host.run("wait-online", "blue", MAINPID=str(flow.pid))
    assert code == 0, words
    assert host.api.queues["blue"] is not opened


def test_queue_stays_paused_when_a_switch_is_in_hand(host, flow):
    host.add("2.0", schema=2)
    host.switch()
    host.add("3.0", schema=3)
    host.kill_at("wait", "switch", "--watch-s", "0")
    serving = host.status()["serving"]["slot"]
    host.api.workers = {f"worker-{serving}": "ONLINE"}
    assert host.run("wait-online", serving, MAINPID=str(flow.pid))[0] == 0
    assert host.api.queues[serving] is True


def test_queue_goes_on_when_the_worker_restarts_while_a_rollback_waits_for_the_flow_it_leaves(host, flow):
    for version in ("2.0", "3.0"):
        host.add(version)
        host.switch()
    host.kill_at("leave", "rollback")
    serving = host.status()["serving"]["slot"]
    host.api.queues[serving] = True
    host.api.workers = {f"worker-{serving}": "ONLINE"}
    assert host.run("wait-online", serving, MAINPID=str(flow.pid))[0] == 0
    assert host.api.queues[serving] is False


@pytest.mark.parametrize(("command", "code"), [("switch", ExitCode.REFUSED), ("recover", ExitCode.DONE)])
def test_queue_goes_on_when_the_worker_restarts_while_a_candidate_is_checked(host, flow, command, code):
    """Nothing has been done to the release that serves, so nothing would open its queue again."""
    host.switch()
    host.add("2.0", schema=2, signal="differs")
    host.kill_at("check", "switch")
    serving = host.status()["serving"]["slot"]
    host.api.workers = {f"worker-{serving}": "ONLINE"}
    assert host.run("drain", serving, MAINPID=str(flow.pid))[0] == 0
    assert host.run("wait-online", serving, MAINPID=str(flow.pid))[0] == 0
    assert host.api.queues[serving] is False
    assert host.run(command)[0] == code
    assert host.api.queues[serving] is False


def test_worker_says_in_its_status_line_which_release_waits_for_runs(host, flow, tmp_path):
    host.switch()
    host.api.workers = {"worker-blue": "ONLINE"}
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(place))
        systemd.settimeout(10)
        host.run("wait-online", "blue", MAINPID=str(flow.pid), NOTIFY_SOCKET=str(place))
        assert systemd.recv(200) == b"STATUS=release 1.0, slot blue: waits for runs"


def test_worker_is_not_online_when_it_ends_while_it_starts(host):
    with subprocess.Popen(["/bin/sleep", "1"]) as worker:
        worker.wait()
        code, words = host.run("wait-online", "blue", MAINPID=str(worker.pid))
    assert code == 1
    assert "the worker has ended while it started" in words
