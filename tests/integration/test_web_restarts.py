"""Restarts behind a socket that outlives the service: no request is lost, on new connections or kept ones."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Self

import pytest

from portfolio.day.stages import run_day
from tests.support.days import paris, run_at, settings_in
from tests.support.web import LONGEST_S, end, start, told_to_systemd, wait_for_word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESTARTS = 5
PATHS = ("/healthz", "/", "/api/v1/signal", "/metrics")
BETWEEN_S = 0.04  # a client's pause: two of each kind make about 100 requests a second


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decided")
    run_day(run_at(settings_in(folder), paris("2001-06-18 07:30")))
    return folder


@pytest.fixture
def folder(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "user")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        yield listening


class Clients:
    """Clients that ask all the time, each in its own thread, and never ask a second time after an error."""

    def __init__(self, port: int) -> None:
        self._port, self._done = port, threading.Event()
        self.answers: Counter[int] = Counter()
        self.errors: list[str] = []
        self.longest_s = 0.0
        kinds = (self._on_new_connections, self._on_kept_connections) * 2
        self._threads = [threading.Thread(target=kind, args=(number,)) for number, kind in enumerate(kinds)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _on_new_connections(self, number: int) -> None:
        while not self._done.wait(BETWEEN_S):
            with closing(self._connection()) as connection:
                self._ask(connection, number)
            number += 1

    def _on_kept_connections(self, number: int) -> None:
        connection = self._connection()
        while not self._done.wait(BETWEEN_S):
            if not self._ask(connection, number):
                connection = self._connection()
            number += 1
        connection.close()

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_S)

    def _ask(self, connection: HTTPConnection, number: int) -> bool:
        """Ask once; tell whether the connection may be asked again."""
        began = time.monotonic()
        try:
            connection.request("GET", PATHS[number % len(PATHS)])
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            self.errors.append(repr(error))
            connection.close()
            return False
        self.answers[answer.status] += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        if not answer.will_close:
            return True
        connection.close()
        return False


def test_no_request_is_lost_when_the_service_is_restarted_under_load(folder, listener):
    with told_to_systemd(folder) as (place, name):
        web = start(folder, {"NOTIFY_SOCKET": name}, listener)
        try:
            wait_for_word(place, "READY=1")
            with Clients(listener.getsockname()[1]) as clients:
                for _ in range(RESTARTS):
                    time.sleep(0.5)
                    assert web.stop() == 0, web.log.read_text("utf-8")
                    end(web)
                    web = start(folder, {"NOTIFY_SOCKET": name}, listener)
                    wait_for_word(place, "READY=1")
                time.sleep(0.5)
            assert web.stop() == 0
        finally:
            end(web)
    assert clients.errors == []
    assert clients.answers.keys() == {200}
    assert clients.answers.total() > 100


def test_request_waits_for_the_next_service_when_none_runs(folder, listener):
    with closing(HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=LONGEST_S)) as early:
        early.request("GET", "/healthz")
        web = start(folder, None, listener)
        try:
            assert early.getresponse().status == 200
            assert web.stop() == 0
        finally:
            end(web)
