"""Every row of docs/FAULTS.md: the real clients over HTTP, a faulty morning on a good history, and the next one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode
from portfolio.universe import read_universe
from tests.support.command import document, portfolio
from tests.support.faulty_days import FAULTY, LAST, faulty_world, mornings_with, read_table, settings_of
from tests.support.live_days import actions_in, even_weights, lacking, true_actions_of, truth_of, untrue
from tests.support.outside import Fault
from tests.support.outside.faults import NAMES, fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.faulty_days import Row, World

TABLE = read_table()
# A provider's small correction is what is known from then on: there is nothing to tell it from a small mistake.
TAKEN_AS_TOLD = {"corrected-rows"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with faulty_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize("row", TABLE, ids=[row.fault for row in TABLE])
def test_fault_leaves_what_the_table_says_and_nothing_wrong_is_believed_when_it_strikes(
    world: World, tmp_path: Path, row: Row
):
    seen = mornings_with(world, tmp_path / "user", row.fault)
    assert seen.row == row
    assert (seen.faulty.answer["decision"] == "HOLD") is (row.day_exit == ExitCode.HOLD)
    key = world.stub.settings["FRED_API_KEY"]
    assert not [finding.message for finding in seen.faulty.findings if key in finding.message]
    truth = truth_of(world.market)
    assert untrue(seen.after_next.prices, truth).empty
    assert lacking(seen.after_next.prices, truth, LAST) == set()
    for told in (seen.after, seen.after_next):
        assert actions_in(told.actions) <= true_actions_of(world.market)
        if fault_of(row.fault).name not in TAKEN_AS_TOLD:
            assert untrue(told.prices, truth).empty


def test_morning_brings_all_six_rows_and_no_finding_when_nothing_is_wrong(world, tmp_path):
    seen = mornings_with(world, tmp_path / "user", "")
    assert (seen.row.update_exit, seen.row.day_exit, seen.row.rules) == (0, 0, ())
    assert (seen.row.kept, seen.row.set_aside) == (6, 0)
    assert actions_in(seen.after.actions) == true_actions_of(world.market)


def test_table_has_a_row_for_every_fault_that_can_be_injected():
    assert {fault_of(row.fault).name for row in TABLE} == set(NAMES)


def test_commands_end_as_the_stages_do_when_yahoo_refuses_everything(world, tmp_path):
    settings = settings_of(world, tmp_path)
    environment = world.stub.settings | {
        "PORTFOLIO_SOURCE": "live",
        "DATA_DIR": str(tmp_path / "data"),
        "PORTFOLIO_UNIVERSE_FILE": str(settings.universe_file),
        "PORTFOLIO_STARTS": "2",
        **{key: json.dumps(table) for key, table in even_weights(read_universe(settings.universe_file)).items()},
    }
    world.stub.clear()
    world.stub.at(FAULTY)
    good = portfolio(tmp_path, "run", "--as-of", "2018-06-28T07:30+02:00", settings=environment)
    assert good.returncode == ExitCode.DONE, good.stderr
    world.stub.inject(Fault("rate-limited", "yahoo"))
    update, day = (
        portfolio(tmp_path, command, "--as-of", "2018-06-29T07:30+02:00", "--json", settings=environment)
        for command in ("update", "run")
    )
    assert (update.returncode, day.returncode) == (ExitCode.FAILED, ExitCode.HOLD)
    assert document(update)["requests"] > 0
    assert document(day)["signal"]["decision"] == "HOLD"
    told = "".join(ended.stdout + ended.stderr for ended in (good, update, day))
    assert world.stub.settings["FRED_API_KEY"] not in told
