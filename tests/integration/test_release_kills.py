"""kill -9 of the release tool, and a power cut, at each of its steps: afterwards exactly one release serves.

The table is STEPS x before or after the step has acted. What each line leads to is in docs/RELEASE.md.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode
from portfolio.release import live_store, recover, undo
from portfolio.release.failures import ReleaseError
from portfolio.release.host import Host
from portfolio.release.record import Records
from portfolio.release.switch import PROVED, STEPS
from portfolio.store.lock import writer_lock
from tests.support.releases.host import LIVE, release_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.releases.host import FakeHost

PUBLISHED = "var/lib/portfolio/live/portfolio.published.duckdb"
UNTOUCHED = {"schema": 1, "min_reader": 1, "rows": 100, "decided": True}
MIGRATED = UNTOUCHED | {"schema": 2}
PLACES = [place for step in STEPS[1:] if step != "leave" for place in (step, f"{step}:done")]  # that is a rollback's
POWER_CUTS = ("migrate:done", "start", "start:done", "flip:done", "drain:done", "watch")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """A host on which 1.0 serves from blue and 2.0, which migrates the store, waits."""
    with release_host(tmp_path) as host:
        host.add("1.0")
        code, words = host.switch()
        assert code == 0, words
        host.add("2.0", schema=2)
        yield host


def ended_at(place: str) -> tuple[str, str]:
    """Which release serves after an interruption, and from which slot: the new one once it has proved itself."""
    proved = place.partition(":")[0] in PROVED
    return ("2.0", "green") if proved else ("1.0", "blue")


@pytest.mark.parametrize("place", PLACES)
def test_one_release_serves_after_a_kill_and_a_repeated_deploy_succeeds(host, place):
    host.kill_at(place, "switch", "--watch-s", "1")
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, place)
    _deploys_again(host)


@pytest.mark.parametrize("place", POWER_CUTS)
def test_one_release_serves_after_a_power_cut(host, place):
    host.kill_at(place, "switch", "--watch-s", "1")
    host.power_cut()
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, place)
    _deploys_again(host)


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
@pytest.mark.parametrize("how", ["kill", "power cut"])
def test_proving_run_that_ended_with_its_worker_is_closed(host, state, how):
    host.api.smoke = state
    host.kill_at("prove", "switch", "--watch-s", "1")
    if how == "power cut":
        host.power_cut()
    assert host.run("recover")[0] == 0
    assert host.api.smoke == "CRASHED"
    assert host.workers() == {"blue": "1.0"}


def test_worker_that_a_power_cut_ended_is_signed_off_so_that_its_runs_are_closed_at_the_boot(host):
    host.switch()
    host.busy("green", 60)
    host.kill_at("leave", "rollback")
    host.api.workers = {"worker-blue": "ONLINE", "worker-green": "ONLINE"}
    host.power_cut()
    assert host.run("recover")[0] == 0
    assert (host.api.workers, host.workers()) == ({"worker-blue": "ONLINE"}, {"blue": "1.0"})


@pytest.mark.parametrize("place", ["start", "flip:done", "drain"])
def test_next_command_settles_what_a_kill_left_when_nobody_recovered(host, place):
    host.kill_at(place, "switch", "--watch-s", "1")
    code, words = host.switch()
    assert code == 0, words
    assert [line["outcome"] for line in host.history[-2:]] == ["rolled-back", "done"]
    assert host.workers() == {"green": "2.0"}


@pytest.mark.parametrize("place", ["start:done", "flip", "prove", "prove:done", "resume", "leave"])
def test_one_release_serves_after_a_kill_of_a_rollback(host, place):
    host.switch()
    host.kill_at(place, "rollback")
    host.run("recover")
    assert host.workers() == ({"blue": "1.0"} if place in PROVED else {"green": "2.0"})
    assert host.status()["in_hand"] is None


@pytest.mark.parametrize("place", ["resume", "leave"])
def test_interrupted_rollback_is_finished_though_a_flow_of_the_bad_release_does_not_end(host, monkeypatch, place):
    host.switch()
    host.busy("green", 60)
    host.kill_at(place, "rollback", "--drain-s", "1")
    host.api.workers = {"worker-blue": "ONLINE", "worker-green": "ONLINE"}
    monkeypatch.setattr(recover, "RECOVER_DRAIN_S", 0.1)
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    recover.recover(Host.here(host.root), Records(host.records), start=False)
    assert host.workers() == {"blue": "1.0", "green": "2.0"}
    assert host.api.workers.keys() == {"worker-blue", "worker-green"}  # its flow goes on, and is no dead one
    assert (host.api.queues["blue"], host.api.queues["green"]) == (False, True)
    assert (host.status()["serving"]["version"], host.status()["in_hand"]) == ("1.0", None)


def test_rollback_serves_before_the_flow_of_the_bad_release_has_ended(host):
    host.switch()
    host.busy("green", 60)
    host.kill_at("leave", "rollback")
    told = host.status()
    assert (told["serving"]["version"], told["in_hand"]["step"]) == ("1.0", "leave")
    assert host.api.queues["blue"] is False


def test_rollback_stands_when_somebody_has_enough_of_waiting_for_the_flow_it_leaves(host):
    host.switch()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a shell's `&` would ignore it
    with host.held_at("leave", "rollback") as tool:
        signal.signal(signal.SIGINT, before)
        tool.send_signal(signal.SIGINT)
        words, _ = tool.communicate(timeout=60)
    host.let_go()
    assert tool.returncode != 0
    assert "1.0 serves; `portfolio-release recover`" in words
    assert host.status()["serving"]["version"] == "1.0"
    assert host.run("recover")[0] == 0
    assert (host.workers(), host.history[-1]["outcome"]) == ({"blue": "1.0"}, "done")


def test_store_that_somebody_else_writes_for_too_long_is_a_failure_that_systemd_tries_again(host):
    store = host.root / LIVE
    with writer_lock(store), pytest.raises(ReleaseError) as caught, live_store.locked(Host.here(host.root), store, 0.1):
        pytest.fail("two writers")
    assert caught.value.exit_code == ExitCode.FAILED


@pytest.mark.parametrize("place", ["copy", "start", "flip"])
def test_undoing_is_done_again_when_it_is_killed_too(host, place):
    """The API is dead while it undoes, which it tells, keeping the record; the next recover undoes it."""
    host.kill_at(place, "switch", "--watch-s", "1")
    host.api.dead = True
    with host.start("recover") as tool:
        while not host.read("var/lib/portfolio-release/switch.json")["undoing"]:
            pass
        tool.kill()
    host.api.dead = False
    host.run("recover")
    _serves_alone(host, place)


@pytest.mark.parametrize("left", [None, "half a store"], ids=["none", "half"])
def test_store_is_put_back_whatever_a_kill_in_the_midst_of_it_left(host, left):
    host.kill_at("start:done", "switch", "--watch-s", "1")
    _note(host, undoing="Its worker crashed.", put_back="begun")
    live = host.root / LIVE
    live.unlink() if left is None else live.write_text(left)
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, "start:done")


def test_store_is_put_back_once_what_the_old_release_wrote_since_stays(host):
    host.kill_at("start:done", "switch", "--watch-s", "1")
    _note(host, undoing="Its worker crashed.", put_back="done")
    host.write(LIVE, UNTOUCHED | {"rows": 101})
    code, words = host.run("recover")
    assert code == 0, words
    assert host.store == UNTOUCHED | {"rows": 101}
    assert host.workers() == {"blue": "1.0"}


def test_putting_back_is_finished_when_a_kill_left_only_its_note(host):
    host.kill_at("start:done", "switch", "--watch-s", "1")
    _note(host, undoing="Its worker crashed.", put_back="begun")
    host.copy.replace(host.root / LIVE)
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, "start:done")
    assert host.read(PUBLISHED) == UNTOUCHED


def test_old_release_serves_its_own_store_when_it_has_no_room_to_publish_it(host):
    host.kill_at("start:done", "switch", "--watch-s", "1")
    host.breaks("1.0", publish="fails")
    code, words = host.run("recover")
    assert code == 0, words
    assert "not published" in words
    _serves_alone(host, "start:done")


@pytest.mark.parametrize("since", [{}, {"rows": 101}], ids=["nothing-written", "written-since"])
def test_what_was_migrated_is_kept_when_a_kill_hid_whether_anything_was_written_since(host, since):
    host.kill_at("migrate:done", "switch", "--watch-s", "1")
    _note(host, migrated_sha256="")
    host.write(LIVE, host.store | since)
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, "migrate:done")
    assert host.replaced == [MIGRATED | since]


def test_store_is_let_be_when_its_migration_was_killed_before_it_took_its_place(host):
    host.kill_at("migrate", "switch", "--watch-s", "1")
    host.write(LIVE, UNTOUCHED | {"rows": 101})
    code, words = host.run("recover")
    assert code == 0, words
    assert host.store == UNTOUCHED | {"rows": 101}
    assert host.workers() == {"blue": "1.0"}


@pytest.mark.parametrize("place", ["migrate:done", "start"])
def test_store_stays_migrated_when_something_was_written_while_nobody_served(host, place):
    host.kill_at(place, "switch", "--watch-s", "1")
    host.write(LIVE, MIGRATED | {"rows": 101})
    code, words = host.run("recover")
    assert code == 0, words
    assert "something was written since" in words
    assert host.store == MIGRATED | {"rows": 101}
    assert host.workers() == {"blue": "1.0"}


def test_store_stays_migrated_when_somebody_removed_the_copy(host):
    host.kill_at("start:done", "switch", "--watch-s", "1")
    host.copy.unlink()
    code, words = host.run("recover")
    assert code == 0, words
    assert "the copy is gone" in words
    assert host.store == MIGRATED
    assert host.workers() == {"blue": "1.0"}


def test_deployments_are_fetched_back_when_the_old_worker_took_them_while_it_ended(host):
    host.kill_at("resume", "switch", "--watch-s", "1")
    host.write("registered.json", {"queue": "blue", "version": "1.0", "secret": True})
    code, words = host.run("recover")
    assert code == 0, words
    _serves_alone(host, "resume")


def test_old_release_goes_on_with_the_migrated_store_when_a_flow_of_the_new_one_does_not_end(host, monkeypatch):
    host.kill_at("prove", "switch", "--watch-s", "1")
    host.busy("green", 60)
    monkeypatch.setattr(undo, "UNDO_DRAIN_S", 0.1)
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    here, records = Host.here(host.root), Records(host.records)
    switch = records.switch()
    assert switch is not None
    undo.undo(here, records, switch, "Its page did not answer.")
    assert host.store == MIGRATED
    assert host.workers() == {"blue": "1.0", "green": "2.0"}
    assert (host.api.queues["blue"], host.api.queues["green"]) == (False, True)
    assert host.status()["serving"]["version"] == "1.0"


def test_new_release_serves_alone_and_says_since_when_when_there_is_no_way_back(host):
    host.add("3.0", schema=3, min_reader=3)
    host.kill_at("drain", "switch", "--watch-s", "1", "--accept-no-rollback")
    host.write(LIVE, host.store | {"rows": 101})
    host.run("recover")
    told = host.status()
    assert (told["last"]["outcome"], told["serving"]["version"]) == ("failed", "3.0")
    assert told["serving"]["since"] == told["last"]["at"]
    assert host.workers() == {"green": "3.0"}


def test_systemd_tries_again_when_another_command_is_at_work(host):
    with Records(host.records).alone("switch"):
        assert host.run("recover")[0] == 5
        code, words = host.run("recover", SERVICE_RESULT="success")
    assert (code, words.count("is at work on this host")) == (0, 1)


def test_proved_release_is_not_undone_because_prefect_is_slow_to_start(host):
    host.kill_at("watch", "switch", "--watch-s", "1")
    host.power_cut()
    host.api.dead = True
    with host.start("recover") as tool:
        time.sleep(2)
        assert tool.poll() is None
        host.api.dead = False
        words, _ = tool.communicate(timeout=60)
    assert tool.returncode == 0, words
    _serves_alone(host, "watch")


@pytest.mark.parametrize("place", ["flip", "watch"])
def test_switch_that_was_killed_as_the_host_goes_down_is_left_to_the_boot(host, place):
    host.kill_at(place, "switch", "--watch-s", "1")
    before = host.workers()
    (host.root / "going-down").touch()
    code, words = host.run("recover", SERVICE_RESULT="signal")
    assert code == 0, words
    assert (host.workers(), host.status()["in_hand"]["step"]) == (before, place)
    (host.root / "going-down").unlink()
    host.power_cut()
    assert host.run("recover")[0] == 0
    _serves_alone(host, place)


def test_failure_that_the_going_down_of_the_host_brings_is_left_to_the_boot(host):
    with host.held_at("web:done", "switch", "--watch-s", "1") as tool:
        host.api.smoke = "CRASHED"
        (host.root / "going-down").touch()
        host.let_go()
        words, _ = tool.communicate(timeout=60)
    assert tool.returncode == 1
    assert "the next boot does the rest" in words
    assert host.status()["in_hand"]["step"] == "prove"


def test_nothing_stays_of_a_candidate_check_that_was_killed(host):
    host.kill_at("check", "switch")
    folder = host.root / "var/lib/portfolio/candidate-check"
    folder.mkdir()
    (folder / "portfolio.duckdb").write_text("a copy of the store")
    host.run("recover")
    assert not folder.exists()


def _note(host: FakeHost, **changes: str) -> None:
    record = host.read("var/lib/portfolio-release/switch.json")
    assert changes.keys() <= record.keys()
    host.write("var/lib/portfolio-release/switch.json", record | changes)


def test_store_stays_migrated_when_the_new_release_has_written(host):
    """What was written since the migration is worth more than the old schema, which the old release can do without."""
    host.kill_at("watch", "switch", "--watch-s", "1")
    host.write(LIVE, MIGRATED | {"rows": 101})
    _note(host, undoing="A flow failed.")
    host.run("recover")
    assert host.store == MIGRATED | {"rows": 101}
    assert host.workers() == {"blue": "1.0"}


def _serves_alone(host: FakeHost, place: str) -> None:
    version, slot = ended_at(place)
    told = host.status()
    assert told["in_hand"] is None
    assert (told["serving"]["version"], told["serving"]["slot"]) == (version, slot)
    assert host.workers() == {slot: version}
    assert host.read("registered.json")["queue"] == slot
    assert host.api.queues[slot] is False
    assert host.store == (MIGRATED if version == "2.0" else UNTOUCHED)
    assert host.history[-1]["outcome"] == ("done" if version == "2.0" else "rolled-back")
    assert len([line for line in host.history if line["to"] == "2.0"]) == 1


def _deploys_again(host: FakeHost) -> None:
    host.write("var/lib/portfolio-release/candidate.json", {"version": "2.0"})
    code, words = host.switch()
    assert code == 0, words
    assert host.workers() == {"green": "2.0"}
    assert host.store == MIGRATED
