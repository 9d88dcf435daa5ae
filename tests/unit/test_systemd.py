"""What systemd hands over, and what it is told, over real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from portfolio.errors import ServeError
from portfolio.systemd import notify, passed_sockets, watchdog_s
from tests.support.web import ACTIVATED

TAKEN = "from portfolio.systemd import passed_sockets; print([s.getsockname()[1] for s in passed_sockets()])"


def test_no_socket_is_taken_when_none_was_passed_or_those_were_a_parent_s(monkeypatch):
    monkeypatch.delenv("LISTEN_PID", raising=False)
    assert passed_sockets() == []
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert passed_sockets() == []


@pytest.mark.parametrize("count", ["", "many", "0", "-1"])
def test_sockets_are_refused_when_their_count_makes_no_sense(monkeypatch, count):
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", count)
    with pytest.raises(ServeError, match="LISTEN_FDS"):
        passed_sockets()


def activated(passed: socket.socket) -> subprocess.CompletedProcess[str]:
    """A process that was started as systemd does, and takes what it was passed."""
    words = [sys.executable, "-c", ACTIVATED, str(passed.fileno()), sys.executable, "-c", TAKEN]
    return subprocess.run(words, pass_fds=(passed.fileno(),), capture_output=True, text=True, check=False, timeout=60)


def test_listening_socket_is_taken_from_the_first_descriptor():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert activated(listener).stdout.strip() == str([listener.getsockname()[1]])


def test_socket_is_refused_when_it_does_not_listen():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        ended = activated(datagrams)
    assert "ServeError" in ended.stderr
    assert "LISTEN_FDS" in ended.stderr


@pytest.mark.parametrize("abstract", [False, True])
def test_word_arrives_where_systemd_listens(tmp_path, monkeypatch, abstract):
    name = f"@portfolio-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(f"\0{name[1:]}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1\nSTATUS=release 1")
        assert place.recv(100) == b"READY=1\nSTATUS=release 1"


def test_word_that_nobody_hears_is_a_warning_and_no_failure(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    assert not caplog.records
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    assert [record.message for record in caplog.records] == ["systemd not told"]


@pytest.mark.parametrize(("usec", "seconds"), [("", None), ("0", None), ("often", None), ("30000000", 30.0)])
def test_watchdog_is_heard_of_when_systemd_wants_to(monkeypatch, usec, seconds):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert watchdog_s() == seconds
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    assert watchdog_s() is None
