"""`portfolio health` as a user asks it, on a store, status files and backups that are really there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.day.backup import backup_store
from portfolio.day.stages import run_day, update_stage, writing
from portfolio.sources.sample import fetch_sample
from portfolio.status import Outcome, ended_status, started_status, status_folder, write_status
from portfolio.universe import read_universe
from tests.support.command import document, environment, portfolio
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from pathlib import Path

MORNING = "2001-06-18 07:30"
UNIVERSE = read_universe()


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a decision and a backup of it."""
    folder = tmp_path_factory.mktemp("decided")
    run_day(run_at(settings_in(folder), paris(MORNING)))
    backup_store(run_at(settings_in(folder), paris(MORNING), "backup"))
    return folder


@pytest.fixture
def folder(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "user")


def leave(folder: Path, flow: str, outcome: Outcome, started_at: datetime) -> None:
    begun = started_status(flow, "run", None, started_at, "0.2.0")
    ended = ended_status(begun, outcome, started_at + timedelta(minutes=1), 1, "no room")
    write_status(status_folder(folder / "sample"), ended)


def health(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return portfolio(folder, "health", *arguments, settings={"DATA_DIR": str(folder), **settings})


def checks(ended: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in document(ended)["checks"]}


def test_health_tells_every_series_with_its_sessions_behind(folder):
    ended = health(folder, "--json")
    assert (ended.returncode, document(ended)["status"]) == (0, "HEALTHY"), ended.stdout
    series = {row["symbol"]: row for row in document(ended)["series"]}
    assert series.keys() == {*UNIVERSE.exchanges, *(item.series for item in UNIVERSE.macro)}
    assert series["^GSPC"] == {
        "symbol": "^GSPC",
        "kind": "driver",
        "exchange": "XNYS",
        "newest": "2001-06-15",
        "expected": "2001-06-14",  # Monday has not opened yet at the sample's clock
        "sessions_behind": 0,
        "status": "HEALTHY",
    }


def test_health_tells_of_the_backup_and_degrades_when_its_file_is_cut(folder):
    assert checks(health(folder, "--json"))["backups"]["status"] == "HEALTHY"
    (copy,) = (folder / "sample" / "backups").glob("*/portfolio.duckdb")
    copy.write_bytes(copy.read_bytes()[:1000])
    ended = health(folder, "--json")
    assert (ended.returncode, document(ended)["status"]) == (0, "DEGRADED")
    assert "the newest is damaged" in checks(ended)["backups"]["seen"]


def test_health_tells_of_each_flow_in_lines_under_one_another(folder):
    now = datetime.now(UTC)
    leave(folder, "data-update", "done", now)
    leave(folder, "signal-generation", "hold", now)
    leave(folder, "backup", "failed", now)
    ended = health(folder)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (0, "DEGRADED")
    started = f"{now:%Y-%m-%d %H:%M} UTC"
    assert f"  HEALTHY   data-update        done, started {started}\n" in ended.stdout
    assert f"  HEALTHY   signal-generation  hold, started {started}\n" in ended.stdout
    assert f"  DEGRADED  backup             failed, started {started}: no room\n{'':31}-> see" in ended.stdout


def test_health_answers_when_prefect_s_api_never_does(folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ended = health(folder, "--json", PREFECT_API_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/api")
    assert (ended.returncode, document(ended)["status"]) == (0, "DEGRADED")
    assert checks(ended)["prefect"]["status"] == "DEGRADED"


def test_health_is_unhealthy_when_neither_the_store_nor_the_scheduler_is_there(folder):
    (folder / "sample" / "portfolio.published.duckdb").unlink()
    ended = health(folder, "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (ended.returncode, document(ended)["series"]) == (1, [])
    unwell = {name for name, check in checks(ended).items() if check["status"] == "UNHEALTHY"}
    assert unwell == {"store", "prefect"}
    assert all(checks(ended)[name]["to_do"] for name in unwell)


def test_left_out_session_is_degraded_for_a_person_and_unhealthy_where_flows_or_prefect_should_have_done_it(folder):
    later = run_at(settings_in(folder), paris("2001-06-20 07:30"), "update")
    with writing(later) as (store, ending):  # the newest session that has opened is Tuesday's, the decision Monday's
        update_stage(store, later, fetch_sample(later.universe, later.moment), ending)
    by_hand = health(folder, "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert checks(by_hand)["signal"]["seen"] == "TARGET for session 2001-06-18, 1 session(s) behind"
    assert checks(by_hand)["signal"]["status"] == "DEGRADED"
    assert checks(by_hand)["prefect"]["status"] == "UNHEALTHY"
    leave(folder, "data-update", "done", datetime.now(UTC))
    by_flows = health(folder, "--json")
    assert (by_flows.returncode, checks(by_flows)["signal"]["status"]) == (1, "UNHEALTHY")


def test_health_imports_nothing_heavy_whatever_it_has_to_look_at(folder):
    leave(folder, "data-update", "failed", datetime.now(UTC))
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "portfolio", "health"],
        cwd=folder,
        env=environment(folder, {"DATA_DIR": str(folder), "PREFECT_API_URL": "http://127.0.0.1:9/api"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    modules = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert "ConnectionRefusedError" in ended.stdout
    assert "duckdb" in modules
    assert not modules & {"pandas", "numpy", "exchange_calendars", "requests", "prefect"}
