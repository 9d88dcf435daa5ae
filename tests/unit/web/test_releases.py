"""The release tool's history, as the metrics read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from portfolio.web.releases import READ_BYTES, ReleaseHistory, read_history

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def line(verb: str, outcome: str, at: datetime = AT, step: str = "confirm") -> str:
    values = {"at": at.isoformat(), "verb": verb, "from": "1", "to": "2", "outcome": outcome, "step": step}
    return json.dumps(values | {"reason": ""})


def history_of(folder, *lines: str) -> ReleaseHistory:
    (folder / "history.jsonl").write_text("".join(f"{text}\n" for text in lines))
    return read_history(folder)


def test_history_is_empty_when_nothing_was_ever_released(tmp_path):
    assert read_history(tmp_path / "none") == ReleaseHistory()
    assert ReleaseHistory().last is None


def test_rollbacks_are_those_asked_for_and_those_of_a_switch_that_failed(tmp_path):
    history = history_of(
        tmp_path,
        line("switch", "done"),
        line("switch", "rolled-back", step="prove"),
        line("switch", "rolled-back", step="check"),  # refused: nothing else has served
        line("rollback", "done"),
        line("rollback", "failed"),
        line("rollback", "rolled-back", step="check"),  # the release to get away from serves still
        line("switch", "failed"),
    )
    assert [(change.verb, change.outcome) for change in history.rollbacks] == [
        ("switch", "rolled-back"),
        ("rollback", "done"),
    ]
    assert history.last
    assert (history.last.verb, history.last.outcome, history.last.at) == ("switch", "failed", AT)


def test_line_that_nobody_can_read_is_counted_and_the_others_are_read(tmp_path):
    naive = line("switch", "done").replace("+00:00", "")
    history = history_of(tmp_path, line("switch", "done"), '{"at": "2026-', "[]", "[" * 100_000, naive, "")
    assert (len(history.changes), history.damaged_lines) == (1, 4)


def test_switch_is_in_hand_while_its_record_is_there(tmp_path):
    assert not history_of(tmp_path, line("switch", "done")).in_hand
    (tmp_path / "switch.json").write_text("{}")
    assert read_history(tmp_path).in_hand


def test_long_history_is_read_from_its_end(tmp_path):
    filler = [line("switch", "done")] * (READ_BYTES // 100)
    history = history_of(tmp_path, *filler, line("rollback", "done"))
    assert history.last
    assert history.last.verb == "rollback"
    assert history.damaged_lines <= 1  # the first line read may be cut
