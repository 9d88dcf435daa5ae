"""Prefect in trouble: no decision is lost by it, no alarm is silenced, and nothing good is called failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from flows.names import DATA_UPDATE, SIGNAL_GENERATION, WRITER_LIMIT
from flows.prefect_api import PrefectApi
from portfolio.status import read_statuses
from portfolio.store.connection import open_reader
from portfolio.store.signals import read_signal
from tests.support.command import environment
from tests.support.flow_forks import forking_flows
from tests.support.pings import switch
from tests.support.prefect_server import prefect_server
from tests.support.prefect_trouble import in_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.flow_forks import Fork
    from tests.support.pings import Switch
    from tests.support.prefect_server import Prefect
    from tests.support.prefect_trouble import Trouble

EVERYTHING_SHOWN = r"POST /api/artifacts"
NAMES = r'PATCH /api/flow_runs/\S+ .*"name"'
LIMIT = r"POST /api/v2/concurrency_limits/"
GIVING_BACK = r"POST /api/v2/concurrency_limits/decrement"
STARTING = r"POST /api/deployments/.*/create_flow_run"


@dataclass(frozen=True, slots=True)
class Place:
    """A house between which and Prefect stands trouble."""

    prefect: Prefect
    trouble: Trouble
    switch: Switch
    fork: Fork
    folder: Path

    def do(self, flow: str, **parameters: object) -> str:
        """Do a run of a flow, and return the name of its state."""
        run = self.prefect.create(flow, **parameters)
        return self.done(run)

    def done(self, run: str) -> str:
        self.fork(flow_run=run)
        return self.prefect.ask("/flow_runs/filter", flow_runs={"id": {"any_": [run]}})[0]["state_name"]

    def outcome(self, flow: str) -> str:
        return next(
            status.outcome for status in read_statuses(self.folder / "data/sample/status") if status.flow == flow
        )

    def decided(self) -> str:
        with open_reader(self.folder / "data/sample/portfolio.duckdb", "sample") as store:
            row = read_signal(store)
        assert row is not None
        return f"{row.session}"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("house")
    with (
        prefect_server(tmp_path_factory.mktemp("prefect")) as prefect,
        in_trouble(prefect) as trouble,
        switch() as pings,
    ):
        settings = {
            "DATA_DIR": str(folder / "data"),
            "PORTFOLIO_STARTS": "2",
            **pings.settings,
            **replace(prefect, url=trouble.url).variables,
        }
        with forking_flows(folder, environment(folder, settings)) as fork:
            place = Place(prefect, trouble, pings, fork, folder)
            assert fork(as_of="2001-06-18T05:00:00+02:00")[0] == 0
            place.done(prefect.waiting(DATA_UPDATE)[0])
            yield place


@pytest.fixture
def place(calm: Place) -> Iterator[Place]:
    calm.switch.pings.clear()
    calm.trouble.met.clear()
    yield calm
    calm.trouble.refused.clear()
    # A turn that could not be given back would keep the next test waiting for a minute.
    PrefectApi(calm.prefect.url).ask("PATCH", f"/v2/concurrency_limits/{WRITER_LIMIT}", {"active_slots": 0})


@pytest.mark.parametrize(
    ("day", "refused"),
    [("2001-06-18", EVERYTHING_SHOWN), ("2001-06-19", NAMES), ("2001-06-20", LIMIT), ("2001-06-21", GIVING_BACK)],
)
def test_decision_is_taken_and_told_as_well_when_prefect_refuses_a_service_beside_it(place, day, refused):
    place.trouble.refused[refused] = 500
    assert place.do(DATA_UPDATE, as_of=f"{day}T07:30:00+02:00") == "Completed"
    [signal] = place.prefect.waiting(SIGNAL_GENERATION)
    assert place.done(signal) == "Completed"
    assert place.trouble.met, "nothing was refused"
    assert place.decided() == day
    assert place.outcome(SIGNAL_GENERATION) == "done"
    assert place.switch.signals == ["start", "success"]


def test_switch_is_told_when_the_decision_cannot_be_started(place):
    place.trouble.refused[STARTING] = 500
    run = place.prefect.create(DATA_UPDATE, as_of="2001-06-22T07:30:00+02:00")
    assert place.done(run) == "Failed"
    assert place.switch.signals == ["start", "fail"]
    assert place.outcome(DATA_UPDATE) == "failed"
