"""What is said of Prefect's API, asked over HTTP."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from portfolio.health.prefect_api import check_prefect, daemon_address
from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def prefect(answers: Mapping[str, int]) -> Iterator[str]:
    """An API that answers these paths with these statuses, others with 404; yields its address."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.get(self.path, 404))
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def one_check(url: str, *, decided: bool) -> Check:
    (check,) = check_prefect(url, decided=decided)
    return check


def test_prefect_is_not_looked_at_when_no_address_of_it_is_set():
    assert check_prefect(None, decided=False) == ()


def test_prefect_is_well_when_it_lives_and_has_its_database():
    with prefect({"/api/health": 200, "/api/ready": 200}) as url:
        assert one_check(url, decided=False) == Check("prefect", Status.HEALTHY, f"{url} is ready")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"/api/health": 200, "/api/ready": 503}, "/ready (that it has its database) answers HTTP 503"),
        ({"/api/health": 500}, "/health (that it lives) answers HTTP 500"),
        ({"/api/health": 302}, "/health (that it lives) answers HTTP 302"),
        ({}, "/health (that it lives) answers HTTP 404"),
    ],
)
def test_prefect_is_told_with_what_is_wrong_and_what_to_do_when_it_answers_otherwise(answers, told):
    with prefect(answers) as url:
        check = one_check(url, decided=True)
    assert (check.status, check.seen) == (Status.DEGRADED, f"{url}: {told}")
    assert "make up" in check.to_do


def test_prefect_that_is_down_is_unhealthy_only_when_the_opened_session_has_no_decision():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/api"
    assert one_check(url, decided=True).status is Status.DEGRADED
    assert one_check(url, decided=False).status is Status.UNHEALTHY
    assert "ConnectionRefusedError" in one_check(url, decided=True).seen


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/api", "http://no-such-host.invalid/api"])
def test_prefect_is_degraded_when_its_address_leads_nowhere(url):
    assert one_check(url, decided=True).status is Status.DEGRADED


def test_prefect_is_given_up_when_it_takes_the_question_and_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        assert one_check(url, decided=True).status is Status.DEGRADED


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ('{"port": 4200, "url": "http://127.0.0.1:4200/api"}', "http://127.0.0.1:4200/api"),
        ('{"port": 4200}', None),
        ('{"url": 7}', None),
        ("[]", None),
        ('{"url": "http', None),
        (None, None),
    ],
)
def test_daemon_in_the_background_is_found_by_its_record_and_a_damaged_one_is_none(tmp_path, record, found):
    if record is not None:
        (tmp_path / "prefect").mkdir()
        (tmp_path / "prefect/server.json").write_text(record)
    assert daemon_address(tmp_path) == found
