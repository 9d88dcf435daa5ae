"""`portfolio serve` as systemd starts it, or a person: a process of its own, asked over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.command import COMMAND, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LONGEST_S = 30.0
WITHOUT_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.getuid() == 0 else ()
# What systemd does between fork and exec: the socket becomes descriptor 3, and the process is told that it is its own.
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Web:
    """A running service."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def get(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=LONGEST_S)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answered = connection.getresponse()
            return Answer(
                answered.status, {name.lower(): value for name, value in answered.headers.items()}, answered.read()
            )
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send bytes that are perhaps no request, and return whatever comes back until the other side hangs up."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=LONGEST_S) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels, as they are written."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONGEST_S)


def start(folder: Path, settings: Mapping[str, str] | None = None, listener: socket.socket | None = None) -> Web:
    """Start the service on a store in the folder: on a port of its own, or on a socket that is handed to it.

    A test that runs as root starts it without root's powers, to which no file is closed.
    """
    words = [*WITHOUT_POWERS, str(COMMAND), "serve", "--json"]
    passed: tuple[int, ...] = ()
    if listener:
        words = [sys.executable, "-c", ACTIVATED, str(listener.fileno()), *words]
        passed = (listener.fileno(),)
    log = folder / "serve.log"
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment(folder, {"DATA_DIR": str(folder), "PORTFOLIO_WEB_PORT": "0", **(settings or {})}),
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=passed,
            text=True,
        )
    assert process.stdout
    told = process.stdout.readline()
    assert told, log.read_text("utf-8")
    return Web(process, json.loads(told)["addresses"][0], log)


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Web]:
    """Serve until the end of the block; a service that has ended before, or ends badly, fails the test."""
    web = start(folder, settings)
    try:
        yield web
        assert web.stop() == 0, web.log.read_text("utf-8")
    finally:
        end(web)


def end(web: Web) -> None:
    """Leave no process and no pipe behind, whatever happened."""
    if web.process.poll() is None:
        os.kill(web.process.pid, signal.SIGKILL)
        web.process.wait(LONGEST_S)
    if web.process.stdout:
        web.process.stdout.close()


@contextmanager
def told_to_systemd(folder: Path) -> Iterator[tuple[socket.socket, str]]:
    """A place for a service's words to systemd: the socket they arrive at, and its name for NOTIFY_SOCKET."""
    name = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(name)
        place.settimeout(LONGEST_S)
        yield place, name


def wait_for_word(place: socket.socket, wanted: str) -> str:
    """Return the next word that contains the one wanted."""
    while wanted not in (word := place.recv(4096).decode()):
        pass
    return word
