from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode
from portfolio.release.failures import BusyError, ReleaseError
from portfolio.release.host import Host
from portfolio.release.layout import Layout, other
from portfolio.release.manifest import as_text
from portfolio.release.prune import prune
from portfolio.release.record import Records, Switch, now, with_
from tests.unit.release.artefacts import release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def records(layout: Layout) -> Records:
    layout.state.mkdir(parents=True)
    return Records(layout.state)


def install(layout: Layout, version: str) -> None:
    layout.release(version).mkdir(parents=True)
    (layout.release(version) / "manifest.json").write_text(as_text(release(version)))


def switched(records: Records, old: str | None, new: str) -> None:
    records.end(Switch("switch", "blue", new, None, old, f"{now()}{new}"), "done", "")


def test_current_tells_who_serves_and_nothing_else_does(layout):
    assert layout.serving_slot() is None
    install(layout, "1.0")
    layout.fill("green", "1.0")
    assert layout.serving_slot() is None
    layout.serve("green")
    assert (layout.serving_slot(), layout.version_in("green"), layout.version_in("blue")) == ("green", "1.0", None)
    assert layout.current.resolve() == layout.release("1.0")


def test_slot_is_empty_when_its_release_is_unfinished(layout):
    layout.release("1.0").mkdir(parents=True)
    layout.fill("blue", "1.0")
    assert layout.version_in("blue") is None
    assert layout.installed() == ()


def test_slot_that_is_a_folder_is_refused_with_what_to_do(layout):
    layout.slot("blue").mkdir(parents=True)
    with pytest.raises(ReleaseError, match="is not a link"):
        layout.version_in("blue")


def test_slots_are_each_others_other():
    assert (other("blue"), other("green")) == ("green", "blue")


def test_switch_in_hand_is_read_as_it_was_written(records):
    switch = Switch(
        "switch", "green", "2.0", "blue", "1.0", now(), "flip", unhealthy_before=("a",), seconds={"check": 1.5}
    )
    assert records.keep(switch) == records.switch() == switch
    records.end(switch, "rolled-back", "why")
    assert records.switch() is None
    assert [(line["outcome"], line["reason"]) for line in records.history()] == [("rolled-back", "why")]


def test_ended_switch_has_one_line_when_it_was_killed_between_the_line_and_the_record(records):
    switch = records.keep(Switch("switch", "green", "2.0", "blue", "1.0", now(), "confirm"))
    records.end(switch, "done", "")
    records.keep(switch)
    records.end(switch, "done", "")
    assert len(records.history()) == 1


def test_history_goes_on_on_a_line_of_its_own_after_a_torn_one(records):
    switched(records, None, "1.0")
    path = records.folder / "history.jsonl"
    path.write_text(path.read_text() + '{"at": "torn')
    switched(records, "1.0", "2.0")
    assert [line["to"] for line in records.history()] == ["1.0", "2.0"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_history_passes_a_torn_line_over_that_ends_as_a_whole_one_does(records):
    switched(records, None, "1.0")
    path = records.folder / "history.jsonl"
    path.write_text('{"at": "torn", "step_s": {"check": 1.0}\n' + path.read_text())
    assert [line["to"] for line in records.history()] == ["1.0"]


def test_nobody_else_can_hold_the_lock_and_it_names_nobody_once_it_is_free(records):
    lock = records.folder / "lock"
    lock.touch(mode=0o644)  # as an earlier release tool left it
    with records.alone("switch"):
        assert lock.stat().st_mode & 0o777 == 0o600
        assert "portfolio-release switch" in lock.read_text()
    assert lock.read_text() == ""


def test_damaged_record_is_refused_with_its_path(records):
    (records.folder / "switch.json").write_text("{")
    with pytest.raises(ReleaseError, match=r"switch\.json is damaged"):
        records.switch()


def test_second_command_is_refused_with_the_first_named(records):
    with (
        records.alone("switch"),
        pytest.raises(BusyError, match="portfolio-release switch") as caught,
        records.alone("x"),
    ):
        pytest.fail("two commands")
    assert caught.value.exit_code == ExitCode.BUSY
    with records.alone("again"):
        pass


def test_paused_time_is_from_the_pause_to_the_resuming():
    switch = Switch("switch", "green", "2.0", "blue", "1.0", now())
    assert switch.paused_s() == 0
    paused = with_(switch, paused_at="2026-01-01T00:00:00+00:00", resumed_at="2026-01-01T00:00:12.500+00:00")
    assert paused.paused_s() == 12.5


def test_only_the_release_that_serves_waits_no_more(records):
    records.note_candidate("2.0")
    records.forget_candidate("1.0")
    assert records.candidate() == "2.0"
    records.forget_candidate("2.0")
    assert records.candidate() is None


def test_prune_keeps_the_newest_and_what_a_slot_a_rollback_or_a_switch_needs(layout, records):
    for number in range(8):
        install(layout, f"{number}.0")
    layout.release("9.9").mkdir()
    layout.fill("blue", "2.0")
    layout.fill("green", "4.0")
    layout.serve("green")
    switched(records, "1.0", "4.0")
    records.note_candidate("3.0")
    removed = prune(Host(layout, "", ""), records, keep=2)
    assert set(removed) == {"0.0", "5.0", "9.9"}
    assert {path.name for path in layout.releases.iterdir()} == {"1.0", "2.0", "3.0", "4.0", "6.0", "7.0"}


def test_prune_keeps_the_servers_environment_in_use_and_what_is_not_ours(layout, records):
    for name in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        (layout.servers / name / "venv").mkdir(parents=True)
        (layout.servers / name / "manifest.json").write_text(json.dumps({}))
    (layout.servers / "bin").mkdir()
    prune(Host(layout, "", ""), records, keep=1)
    assert len(list(layout.servers.iterdir())) == 3
    (layout.servers / "current").symlink_to("bbbbbbbbbbbb")
    prune(Host(layout, "", ""), records, keep=1)
    assert {path.name for path in layout.servers.iterdir()} == {"bin", "bbbbbbbbbbbb", "current"}
