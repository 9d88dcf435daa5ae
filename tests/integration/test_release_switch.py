"""Switching releases and going back, with the real tool: who serves, what was paused, what a bad release leads to."""

from __future__ import annotations

import fcntl
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.releases.host import LIVE, release_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.releases.host import FakeHost

PUBLISHED = "var/lib/portfolio/live/portfolio.published.duckdb"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    with release_host(tmp_path) as host:
        yield host


@pytest.fixture
def served(host: FakeHost) -> FakeHost:
    """A host on which 1.0 serves from blue."""
    host.add("1.0")
    code, words = host.switch()
    assert code == 0, words
    return host


def serves(host: FakeHost, version: str, slot: str) -> bool:
    """One release serves: link, worker, deployments, open queue and status agree, and nothing is in hand."""
    told = host.status()
    assert told["in_hand"] is None
    assert (told["serving"]["version"], told["serving"]["slot"]) == (version, slot)
    assert host.workers() == {slot: version}
    assert host.read("registered.json") == {"queue": slot, "version": version, "secret": True}
    assert host.api.queues[slot] is False
    return True


def test_first_switch_of_a_host_serves_from_blue(served):
    assert serves(served, "1.0", "blue")
    assert [(line["from"], line["to"], line["outcome"]) for line in served.history] == [(None, "1.0", "done")]


def test_second_switch_serves_from_green_and_pauses_only_while_its_worker_starts_when_nothing_is_migrated(served):
    served.add("1.1")
    code, words = served.switch()
    assert code == 0, words
    assert serves(served, "1.1", "green")
    assert served.history[-1]["paused_s"] == served.history[-1]["step_s"]["start"]
    assert served.status()["rollback_to"] == "1.0"


@pytest.mark.parametrize("there", ["[Service]", "[Service]\nNice=5", None], ids=["same", "other", "none"])
def test_switch_tells_when_the_hosts_units_are_not_the_releases(served, there):
    served.add("1.1", units={"portfolio-worker@.service": "[Service]"})
    if there:
        unit = served.root / "etc/systemd/system/portfolio-worker@.service"
        unit.parent.mkdir(parents=True)
        unit.write_text(there)
    code, words = served.switch()
    assert code == 0, words
    told = "the host's units are not those of 1.1 (portfolio-worker@.service): `make provision`" in words
    assert told == (there != "[Service]")


def test_rollback_serves_the_release_before(served):
    served.add("1.1")
    served.switch()
    code, words = served.run("rollback")
    assert code == 0, words
    assert serves(served, "1.0", "blue")


def test_rollback_goes_to_the_release_before_when_another_candidate_waits(served):
    served.add("1.1")
    served.switch()
    served.add("1.2")
    served.run("rollback")
    assert serves(served, "1.0", "blue")


@pytest.mark.parametrize("writes", [False, True], ids=["holds-nothing", "holds-the-store"])
def test_rollback_is_done_when_a_flow_of_the_release_to_get_away_from_does_not_end(served, writes):
    served.add("1.1")
    served.switch()
    served.busy("green", 60)
    served.write(PUBLISHED, served.store)
    with (served.root / f"{LIVE}.lock").open() as lock:
        if writes:
            fcntl.flock(lock, fcntl.LOCK_EX)
        code, words = served.run("rollback", "--drain-s", "1")
    assert code == 0, words
    assert "The worker of slot green goes on, its queue paused" in words
    assert served.workers() == {"blue": "1.0", "green": "1.1"}
    assert (served.api.queues["blue"], served.api.queues["green"]) == (False, True)
    assert served.status()["serving"]["version"] == "1.0"


def test_rollback_is_done_when_the_old_release_finds_wrong_what_the_new_one_calls_well(served):
    served.add("1.1")
    served.switch()
    served.breaks("1.0", unhealthy="live")
    code, words = served.run("rollback")
    assert code == 0, words
    assert serves(served, "1.0", "blue")


def test_rollback_is_refused_when_there_was_no_release_before(served):
    code, words = served.run("rollback")
    assert code == 4
    assert "replaced none" in words
    assert serves(served, "1.0", "blue")


def test_rollback_is_not_undone_by_another_one(served):
    served.add("1.1")
    served.switch()
    served.run("rollback")
    code, words = served.run("rollback")
    assert code == 4
    assert "serves since a rollback from 1.1" in words
    assert serves(served, "1.0", "blue")
    assert served.status()["rollback_to"] is None


def test_release_that_breaks_while_it_serves_is_rolled_back_from(served):
    served.add("1.1")
    served.switch()
    served.breaks("1.1", broken="health", signal="broken")
    code, words = served.run("rollback")
    assert code == 0, words
    assert "cannot tell its health" in words
    assert serves(served, "1.0", "blue")


def test_release_that_breaks_while_it_serves_is_replaced_once_nothing_can_be_compared_is_accepted(served):
    served.add("1.1")
    served.breaks("1.0", broken="health", signal="broken")
    code, words = served.switch()
    assert code == 4
    assert "1.0 cannot decide on a copy of the store" in words
    assert "model's files are gone" in words
    assert serves(served, "1.0", "blue")
    code, words = served.switch("--expect-signal-change", "1.0 lost its model")
    assert code == 0, words
    assert serves(served, "1.1", "green")
    assert served.history[-1]["expected_change"] == "1.0 lost its model"


def test_nothing_is_to_be_reproduced_when_nothing_was_ever_decided(served):
    served.write(LIVE, served.store | {"decided": False})
    served.add("1.1")
    code, words = served.switch()
    assert code == 0, words
    assert "no decision is logged yet" in words


def test_switch_takes_the_release_that_is_named_whatever_was_installed_since(served):
    served.add("1.1")
    served.add("1.2")
    code, words = served.switch("--version", "1.1")
    assert code == 0, words
    assert serves(served, "1.1", "green")
    code, words = served.switch("--version", "1.3")
    assert code == 2
    assert "Release 1.3 is not installed here" in words


def test_status_says_that_a_release_under_proof_is_not_confirmed(served):
    served.add("1.1")
    served.kill_at("watch", "switch", "--watch-s", "1")
    code, words = served.run("status")
    assert code == 0
    assert "1.1 serves from green, not confirmed yet (switch begun at 20" in words


def test_status_is_told_at_once_when_prefect_does_not_answer(served):
    served.api.dead = True
    code, words = served.run("status")
    assert code == 0
    assert "1.0 serves from blue" in words
    assert "queue unknown" in words
    assert "asked again" not in words


def test_switch_says_so_when_the_release_serves_already(served):
    served.add("1.1")
    served.switch()
    served.write("var/lib/portfolio-release/candidate.json", {"version": "1.1"})
    code, words = served.switch()
    assert (code, words) == (0, "switch: 1.1 serves already\n")
    assert serves(served, "1.1", "green")


def test_switch_asks_for_an_artefact_when_none_waits(served):
    code, words = served.switch()
    assert code == 2
    assert "install ARTEFACT" in words


def test_migration_is_done_under_the_stores_lock_while_the_queue_is_paused(served):
    served.add("2.0", schema=2)
    code, words = served.switch()
    assert code == 0, words
    assert serves(served, "2.0", "green")
    assert served.store == {"schema": 2, "min_reader": 1, "rows": 100, "decided": True}
    assert served.history[-1]["paused_s"] > 0
    events = [event for event in served.api.events if event[0] in {"blue", "green"}]
    assert events[-3:] == [("blue", "paused"), ("green", "paused"), ("green", "open")]


BAD = {
    "the candidate is unhealthy": ({"unhealthy": "copy"}, "finds the copy unhealthy"),
    "it is unhealthy once it serves": ({"unhealthy": "live"}, "Unhealthy since the switch"),
    "its worker crashes at start": ({"worker": "crashes"}, "control process exited"),
    "its migration fails": ({"migrate": "fails"}, "no such table"),
    "its migration fails on the live store": ({"migrate": "fails live"}, "no such table in the live store"),
    "its signal differs": ({"signal": "differs"}, "today's weights"),
    "its orders differ": ({"orders": "differ"}, "today's orders"),
    "the sample's day fails": ({"run": "fails"}, "the sample's day fails"),
    "it cannot register": ({"register": "fails"}, "cannot register"),
}


@pytest.mark.parametrize("schema", [1, 2], ids=["no migration", "a migration"])
@pytest.mark.parametrize("fault", BAD)
def test_old_release_serves_with_the_reason_told_when(served, fault, schema):
    odd, reason = BAD[fault]
    if schema == 1 and "migrat" in fault:
        return
    served.add("2.0", schema=schema, **odd)
    code, words = served.switch()
    assert code in {1, 4}, words
    assert reason in words
    assert serves(served, "1.0", "blue")
    assert served.store == {"schema": 1, "min_reader": 1, "rows": 100, "decided": True}
    assert (served.history[-1]["outcome"], served.history[-1]["to"]) == ("rolled-back", "2.0")
    assert reason in served.history[-1]["reason"]


def test_old_release_serves_when_the_new_ones_smoke_run_fails(served):
    served.add("1.1")
    served.api.smoke = "CRASHED"
    code, words = served.switch()
    assert code == 1
    assert "ended as CRASHED: as the test wants it" in words
    assert serves(served, "1.0", "blue")


def test_old_release_serves_when_the_web_service_does_not_answer(served):
    served.add("1.1")
    served.api.web = False
    code, words = served.switch()
    assert code == 1
    assert "/healthz does not answer" in words
    assert serves(served, "1.0", "blue")


def test_old_release_serves_when_the_new_worker_dies_while_it_is_watched(served):
    served.add("1.1", worker="dies")
    code, words = served.run("switch", "--watch-s", "8")
    assert code == 1
    assert "has not stayed up" in words
    assert serves(served, "1.0", "blue")


def test_a_host_without_a_release_stays_so_when_the_first_switch_fails(host):
    host.add("1.0", worker="crashes")
    code, _ = host.switch()
    assert code == 1
    assert host.status()["serving"] == {"slot": None, "version": None, "since": None}
    assert host.workers() == {}
    host.add("1.1")
    code, words = host.switch()
    assert code == 0, words
    assert serves(host, "1.1", "blue")


def test_a_store_older_than_the_first_release_is_given_back_when_the_switch_fails(host):
    host.add("2.0", schema=2)
    host.api.web = False
    code, words = host.switch()
    assert code == 1
    assert host.store["schema"] == 1
    assert host.status()["in_hand"] is None, words
    host.api.web = True
    host.add("2.1", schema=2)
    assert host.switch()[0] == 0
    assert serves(host, "2.1", "blue")


def test_expected_change_is_recorded_and_let_through(served):
    served.add("2.0", signal="differs")
    code, words = served.switch("--expect-signal-change", "a new table of weights")
    assert code == 0, words
    assert served.history[-1]["expected_change"] == "a new table of weights"


def test_probabilities_may_differ_in_their_last_digits_only(served):
    served.add("2.0", rounding=1e-12)
    assert served.switch()[0] == 0
    served.add("2.1", rounding=1e-6)
    code, words = served.switch()
    assert code == 4
    assert "today's probabilities" in words


def test_a_migration_without_a_way_back_is_refused_unless_accepted(served):
    served.add("2.0", schema=2, min_reader=2)
    code, words = served.switch()
    assert code == 4
    assert "--accept-no-rollback" in words
    assert serves(served, "1.0", "blue")
    code, words = served.switch("--accept-no-rollback")
    assert code == 0, words
    code, words = served.run("rollback")
    assert code == 4
    assert "cannot read the store" in words
    assert serves(served, "2.0", "green")


def test_a_running_flow_ends_in_the_old_release_before_its_worker_does(served):
    served.busy("blue", 3)
    served.add("1.1")
    code, words = served.run("switch", "--watch-s", "0", "--drain-s", "20")
    assert code == 0, words
    assert (served.root / "flow-ended").exists()
    assert serves(served, "1.1", "green")


def test_switch_fails_and_ends_nothing_when_a_flow_takes_too_long(served):
    served.busy("blue", 30)
    served.add("2.0", schema=2)
    code, words = served.run("switch", "--watch-s", "0", "--drain-s", "1")
    assert code == 1
    assert "still runs after 1 s; it is not ended" in words
    assert serves(served, "1.0", "blue")
    assert served.store["schema"] == 1


def test_backup_is_restored_with_no_worker_and_the_worker_goes_on(served):
    code, words = served.run("restore", "20261120T211502Z-73a0d2", "--force")
    assert code == 0, words
    assert served.store["restored"] == {"from": "20261120T211502Z-73a0d2", "forced": True, "workers": []}
    assert serves(served, "1.0", "blue")


def test_worker_goes_on_when_a_backup_is_refused(served):
    served.breaks("1.0", restore="refuses")
    code, words = served.run("restore", "newest")
    assert code == 1
    assert "the backup is damaged" in words
    assert serves(served, "1.0", "blue")


def test_nothing_is_restored_where_nothing_serves(host):
    code, words = host.run("restore")
    assert code == 4
    assert "Nothing serves here" in words


def test_switch_goes_on_when_the_terminal_it_was_typed_at_is_closed(served):
    served.add("1.1")
    with served.held_at("start", "switch", "--watch-s", "0") as tool:
        tool.send_signal(signal.SIGHUP)
        served.let_go()
        words, _ = tool.communicate(timeout=60)
    assert tool.returncode == 0, words
    assert serves(served, "1.1", "green")


def test_busy_worker_of_the_idle_slot_is_noticed_before_anything_is_paused(served):
    served.add("1.1")
    served.switch()
    assert served.run("rollback")[0] == 0
    served.busy("green", 60)
    served.add("2.0", schema=2)
    served.api.events.clear()
    code, words = served.run("switch", "--watch-s", "0", "--drain-s", "1")
    assert code == 1
    assert "A flow of slot green still runs after 1 s" in words
    assert (served.history[-1]["step"], served.api.events, served.store["schema"]) == ("check", [], 1)


def test_command_is_refused_while_the_host_goes_down(served):
    served.add("1.1")
    (served.root / "going-down").touch()
    code, words = served.switch()
    assert code == 5
    assert "type it again once it has booted" in words
    (served.root / "going-down").unlink()
    assert serves(served, "1.0", "blue")


def test_recover_opens_a_serving_queue_that_was_left_paused(served):
    served.api.queues["blue"] = True
    assert served.run("recover")[0] == 0
    assert served.api.queues["blue"] is False


def test_second_command_is_refused_and_names_the_first(served):
    served.add("1.1", sample_s=5)
    with served.start("switch", "--watch-s", "0") as first:
        while not (served.records / "switch.json").exists():
            pass
        code, words = served.switch()
        assert code == 5
        assert "portfolio-release switch (process" in words
        assert first.wait(60) == 0
    assert serves(served, "1.1", "green")
