"""Kill -9 at random points of each flow, as a power cut does: nothing lost, nothing twice, and a start mends it.

PORTFOLIO_TEST_KILLS is the number for each flow; the few of every build and the 200 that are made by hand are the same.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from flows.names import BACKUP, DATA_UPDATE, SIGNAL_GENERATION
from portfolio.backup.choose import chosen_backup
from portfolio.backup.verify import verify
from portfolio.store.connection import open_writer
from tests.support.command import environment
from tests.support.days import settings_in
from tests.support.flow_forks import forking_flows
from tests.support.left import check_whole, left_by
from tests.support.prefect_server import prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.support.flow_forks import Fork
    from tests.support.prefect_server import Prefect

KILLS = int(os.environ.get("PORTFOLIO_TEST_KILLS", "5"))
DAY_BEFORE = "2001-06-19T07:30:00+02:00"
MORNING = "2001-06-20T07:30:00+02:00"  # a challenger is fitted on it
KILLED = -9
IN_HAND = ("RUNNING", "PENDING")


@dataclass(frozen=True, slots=True)
class Cut:
    """Stores as they are before each flow, what the undisturbed morning leaves, and how long each flow takes."""

    prefect: Prefect
    fork: Fork
    folder: Path
    left: dict[str, Any]
    seconds: dict[str, float]

    def before(self, flow: str) -> Path:
        return self.folder / {DATA_UPDATE: "decided", SIGNAL_GENERATION: "updated", BACKUP: "done"}[flow]

    def run(self, flow: str, place: Path, kill_after_s: float | None = None, **parameters: Any) -> tuple[int, float]:
        """Do a run of a flow on a place's store, killed or not."""
        return self.do(self.prefect.create(flow, **parameters), place, kill_after_s)

    def do(self, run: str, place: Path, kill_after_s: float | None = None) -> tuple[int, float]:
        return self.fork(kill_after_s, flow_run=run, data_dir=str(place))

    def start_up(self, place: Path) -> None:
        """Start as a machine does that comes back, and do all that it then has to do."""
        assert self.fork(as_of=MORNING, data_dir=str(place))[0] == 0
        for flow in (DATA_UPDATE, SIGNAL_GENERATION):
            for run in self.prefect.waiting(flow):
                assert self.do(run, place)[0] == 0
        assert not [flow for flow in (DATA_UPDATE, SIGNAL_GENERATION, BACKUP) if self.prefect.runs(flow, *IN_HAND)]


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    """Do a morning undisturbed, and keep the store as it was before each of its flows."""
    folder = tmp_path_factory.mktemp("cut")
    settings = {"PORTFOLIO_STARTS": "2", "DATA_DIR": str(folder / "none")}
    with prefect_server(tmp_path_factory.mktemp("prefect")) as prefect:
        variables = environment(folder, settings | prefect.variables)
        with forking_flows(folder, variables) as fork:
            cut = Cut(prefect, fork, folder, {}, {})
            place = folder / "place"
            assert fork(as_of=DAY_BEFORE, data_dir=str(place))[0] == 0
            for flow in (DATA_UPDATE, SIGNAL_GENERATION):
                for run in prefect.waiting(flow):
                    assert cut.do(run, place)[0] == 0
            for flow, parameters in ((DATA_UPDATE, {"as_of": MORNING}), (SIGNAL_GENERATION, None), (BACKUP, {})):
                shutil.copytree(place, cut.before(flow))
                waiting = prefect.waiting(flow) if parameters is None else [prefect.create(flow, **parameters)]
                cut.seconds[flow] = max(cut.do(run, place)[1] for run in waiting)
            cut.left.update(left_by(cut.before(BACKUP)))
            yield cut


@pytest.mark.parametrize("flow", [DATA_UPDATE, SIGNAL_GENERATION])
def test_morning_is_decided_once_and_as_if_undisturbed_when_a_flow_was_killed(cut, flow, tmp_path, capsys):
    chance, hits = random.Random(flow), Counter()  # noqa: S311  # a repeatable spread, not cryptography
    while hits["killed"] < KILLS:
        place = shutil.copytree(cut.before(flow), tmp_path / "place")
        ended, _ = cut.run(flow, place, chance.uniform(0, cut.seconds[flow]), as_of=MORNING)
        hits["killed" if ended == KILLED else "too late"] += 1
        hits[reached(place, cut.before(flow))] += ended == KILLED
        cut.start_up(place)
        assert left_by(place) == cut.left
        shutil.rmtree(place)
    tell(capsys, flow, hits)


def test_backup_is_whole_or_absent_and_the_next_one_completes_when_it_was_killed(cut, tmp_path, capsys):
    chance, hits = random.Random(BACKUP), Counter()  # noqa: S311  # as above
    while hits["killed"] < KILLS:
        place = shutil.copytree(cut.before(BACKUP), tmp_path / "place")
        ended, _ = cut.run(BACKUP, place, chance.uniform(0, cut.seconds[BACKUP]))
        hits["killed" if ended == KILLED else "too late"] += 1
        hits[f"backups: {len(whole_backups(place))}"] += ended == KILLED
        cut.start_up(place)
        assert cut.run(BACKUP, place)[0] == 0
        settings = settings_in(place)
        backups = whole_backups(place)
        assert sorted(path for path in settings.backups_dir.iterdir() if path.is_dir()) == backups
        assert not verify(chosen_backup(settings.backups_dir, "newest"), "sample").errors
        assert left_by(place)["decisions"] == cut.left["decisions"]
        shutil.rmtree(place)
    tell(capsys, BACKUP, hits)


def reached(place: Path, before: Path) -> str:
    """Check that the store a kill left is whole, and say what the flow had come to."""
    now, then = settings_in(place), settings_in(before)
    with open_writer(now.store_path, "sample") as store:
        check_whole(store)
        rows = written(store)
    with open_writer(then.store_path, "sample") as store:
        return f"had written {rows - written(store)} of its rows in the journal, the log and the batches"


def written(store: Any) -> int:
    counted = "SELECT (SELECT count(*) FROM out.run_starts) + (SELECT count(*) FROM out.run_ends)"
    counted += " + (SELECT count(*) FROM raw.batches) + (SELECT count(*) FROM out.signals)"
    return store.connection.execute(counted).fetchall()[0][0]


def whole_backups(place: Path) -> list[Path]:
    folder = settings_in(place).backups_dir
    return sorted(path.parent for path in folder.glob("[!.]*/manifest.json")) if folder.exists() else []


def tell(capsys: pytest.CaptureFixture[str], flow: str, hits: Counter[str]) -> None:
    with capsys.disabled():
        print(f"\n{flow}: {dict(sorted(hits.items()))}")  # noqa: T201  # that it tested something
