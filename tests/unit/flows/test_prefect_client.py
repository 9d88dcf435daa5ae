"""How soon a change is asked for again that the server could not take at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.client import base
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.prefect_client import SOON_S, patient_client


@dataclass
class Locked:
    """What a Prefect server was asked, and how many requests it answers with 503 first."""

    asked: list[str] = field(default_factory=list)
    refusals: int = 0


@pytest.fixture
def locked():
    known = Locked()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            known.asked.append(self.path)
            self.send_response(503 if len(known.asked) <= known.refusals else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format, *args):  # noqa: A002  # the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{server.server_port}/api"}):
            yield known
        server.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    slept = []
    monkeypatch.setattr(base.time, "sleep", slept.append)
    return slept


def test_locked_database_is_asked_again_soon_as_often_as_prefect_does(locked, waits):
    locked.refusals = 5
    with patient_client() as client:
        assert client.request("GET", "/flows/filter").status_code == 200
    assert len(locked.asked) == 6
    assert all(soon <= waited <= 2 * soon for soon, waited in zip(SOON_S, waits, strict=True))


def test_each_request_has_its_own_quick_tries(locked, waits):
    with patient_client() as client:
        locked.refusals = 3
        client.request("GET", "/flows/filter")
        locked.refusals = len(locked.asked) + 3
        client.request("GET", "/flows/filter")
    assert len(waits) == 6
    assert max(waits) < 1
