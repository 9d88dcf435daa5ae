"""The dead-man's switch, over HTTP: what it is told, and that no fault of it is a fault of the job."""

from __future__ import annotations

import logging
import socket
from uuid import UUID

import pytest
import requests  # noqa: F401  # loaded before the first short wait begins, which is not for that

from portfolio.errors import StoreBusyError
from portfolio.health.heartbeat import BODY_BYTES, UNKNOWN_CHECK, Heartbeat
from tests.support.days import settings_in
from tests.support.pings import CHECK, Answer, switch

SHORT_S = 1.0  # enough for a busy machine to send a ping, and soon over


def heartbeat(url: str, timeout_s: float = 5.0) -> Heartbeat:
    return Heartbeat(url, CHECK, "20260302T063000Z-1-abcdef", timeout_s)


def reasons_told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Reasons in the warnings of our own loggers, in no line of which the check may be told."""
    ours = [record for record in caplog.records if record.name.startswith("portfolio")]
    assert CHECK not in "".join(f"{record.getMessage()} {vars(record)}" for record in ours)
    return [vars(record)["reason"] for record in ours if record.levelno == logging.WARNING]


def test_switch_is_told_start_then_success_with_the_line_that_was_verified(caplog):
    with switch() as service, heartbeat(service.url).watching() as watch:
        assert service.signals == ["start"]
        watch.verified("TARGET for session 2026-03-02: 2 order(s)")
    assert service.signals == ["start", "success"]
    assert [ping.check for ping in service.pings] == [CHECK, CHECK]
    assert [ping.body for ping in service.pings] == ["", "TARGET for session 2026-03-02: 2 order(s)"]
    assert reasons_told(caplog) == []


def test_pings_of_one_run_are_joined_and_another_s_are_not():
    with switch() as service:
        heartbeat(service.url).start()
        heartbeat(service.url).success()
        Heartbeat(service.url, CHECK, "another").start()
        Heartbeat(service.url, CHECK).start()
    rids = [ping.rid for ping in service.pings]
    assert rids[0] == rids[1] != rids[2]
    assert str(UUID(rids[0])) == rids[0]
    assert rids[3] == ""


def test_switch_is_told_fail_with_the_kind_of_error_alone_and_the_error_goes_on_unchanged():
    error = StoreBusyError("holds 12 345.67 EUR of WPEA.PA")

    def job(beat: Heartbeat) -> None:
        with beat.watching() as watch:
            watch.verified("too early")
            raise error

    with switch() as service, pytest.raises(StoreBusyError) as raised:
        job(heartbeat(service.url))
    assert raised.value is error
    assert service.signals == ["start", "fail"]
    assert service.pings[1].body.startswith("StoreBusyError, exit 5")
    assert "WPEA" not in service.pings[1].body


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_switch_is_told_fail_when_the_job_is_stopped(end):
    with switch() as service, pytest.raises(end), heartbeat(service.url).watching():
        raise end
    assert service.signals == ["start", "fail"]


def test_switch_is_told_fail_when_the_job_ends_without_a_word_or_with_a_bad_one():
    with switch() as service:
        with heartbeat(service.url).watching():
            pass
        with heartbeat(service.url).watching() as watch:
            watch.failed("refused, exit 4")
    assert service.signals == ["start", "fail", "start", "fail"]
    assert service.pings[1].body.startswith("its outputs were not verified")
    assert service.pings[3].body.startswith("refused, exit 4")


def test_body_is_cut_between_characters_when_it_is_long():
    with switch() as service:
        heartbeat(service.url).success("é" * BODY_BYTES)
    assert service.pings[0].body == "é" * (BODY_BYTES // 2)


def test_nothing_is_sent_or_said_without_a_check(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with switch() as service:
        beat = Heartbeat.from_settings(settings_in(tmp_path, PORTFOLIO_HEALTHCHECKS_URL=service.url), "run")
        with beat.watching() as watch:
            watch.verified("well")
    assert service.pings == []
    assert caplog.records == []


def test_check_is_no_part_of_what_the_heartbeat_says_of_itself(tmp_path):
    beat = Heartbeat.from_settings(settings_in(tmp_path, HEALTHCHECK_UUID=f"{{{CHECK.upper()}}}"), "run")
    assert beat.check == CHECK  # however it was written
    assert CHECK not in repr(beat)


FAULTS = {
    "an unknown check": ([Answer(404, "not found")] * 2, UNKNOWN_CHECK, 1),
    "an unknown check, politely": ([Answer(200, "OK (not found)")] * 2, UNKNOWN_CHECK, 1),
    "a refusal": ([Answer(400, "invalid url format")] * 2, "HTTP 400", 1),
    "too many pings": ([Answer(429, "slow down")] * 2, "HTTP 429", 1),
    "too many pings, politely": ([Answer(200, "OK (rate limited)")], "the service takes no more pings for now", 1),
    "a broken service": ([Answer(500, "oh"), Answer(502, "oh")], "HTTP 502", 2),
    "a service that hangs up": ([Answer(manner="drop")] * 2, "the service cannot be reached", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_ping_is_given_up_with_one_warning_when_it_meets(caplog, fault):
    answers, told, tries = FAULTS[fault]
    with switch(*answers) as service:
        heartbeat(service.url).success("well")
    assert service.signals == ["success"] * tries
    assert reasons_told(caplog) == [told]


def test_ping_arrives_with_the_second_try_when_the_first_met_a_passing_fault(caplog):
    with switch(Answer(503, "restarting"), Answer()) as service:
        heartbeat(service.url).success("well")
    assert [(ping.signal, ping.body) for ping in service.pings] == [("success", "well")] * 2
    assert reasons_told(caplog) == []


@pytest.mark.parametrize("manner", ["silent", "trickle"])
def test_job_s_result_is_kept_when_the_service_never_ends_its_answer(caplog, manner):
    with switch(*[Answer(500, manner=manner)] * 9) as service:
        with heartbeat(service.url, SHORT_S).watching() as watch:
            result = "the day's answer"
            watch.verified("well")
        assert result == "the day's answer"  # the service answers to nobody before this block's end
        assert service.signals == ["start", "success"]
    assert len(reasons_told(caplog)) == 2


def test_job_s_error_is_kept_when_nobody_listens(caplog):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ZeroDivisionError), heartbeat(f"http://127.0.0.1:{port}").watching():
        raise ZeroDivisionError
    assert reasons_told(caplog) == ["the service cannot be reached"] * 2


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://" + "a" * 70 + ".invalid"]
)
def test_ping_is_a_warning_when_its_address_leads_nowhere(caplog, url):
    heartbeat(url, SHORT_S).success("well")
    assert len(reasons_told(caplog)) == 1


def test_redirect_is_not_followed_to_where_the_check_would_be_told(caplog):
    with switch() as elsewhere, switch(Answer(307, "", f"{elsewhere.url}/{CHECK}")) as service:
        heartbeat(service.url).success("well")
        assert service.signals == ["success"]
        assert (elsewhere.pings, elsewhere.others) == ([], [])
    assert reasons_told(caplog) == ["redirected (HTTP 307), and not followed: see PORTFOLIO_HEALTHCHECKS_URL"]
