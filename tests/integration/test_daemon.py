"""`make up` and `make down` as a person uses them: server, worker and UI in the background, and nothing left behind."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from flows.names import DATA_UPDATE, SIGNAL_GENERATION
from flows.processes import Background, wait_until
from portfolio.status import read_statuses
from tests.support.command import document, environment, portfolio
from tests.support.prefect_server import Prefect

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Laptop:
    """A folder, a free port, and the daemon's command in it."""

    folder: Path
    port: int

    def daemon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.daemon", *arguments, "--port", str(self.port)],
            cwd=self.folder,
            env=environment(self.folder, {"PYTHONPATH": str(ROOT), "PORTFOLIO_STARTS": "2"}),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    @property
    def state(self) -> Path:
        return self.folder / "data/sample"

    @property
    def prefect(self) -> Prefect:
        return Prefect(f"http://127.0.0.1:{self.port}/api", self.folder)

    def outcomes(self) -> dict[str, str]:
        return {status.flow: status.outcome for status in read_statuses(self.state / "status")}


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    laptop = Laptop(tmp_path_factory.mktemp("laptop"), port)
    yield laptop
    laptop.daemon("down")


def test_daemon_decides_by_itself_and_is_seen_in_the_browser_when_it_comes_up(laptop):
    up = laptop.daemon("up")
    assert up.returncode == 0, up.stderr
    assert f"Prefect's UI: http://127.0.0.1:{laptop.port}" in up.stdout
    assert "Without a target, decided now: 2019-01-02" in up.stdout
    assert "<title>Prefect" in httpx.get(f"http://127.0.0.1:{laptop.port}", follow_redirects=True).text
    done = {DATA_UPDATE: "done", SIGNAL_GENERATION: "done"}
    assert wait_until(lambda: laptop.outcomes() == done, 240), laptop.outcomes()


def test_daemon_stays_as_it_is_when_it_is_brought_up_again(laptop):
    pids = {name: Background(name, laptop.state / "prefect").facts()["pid"] for name in ("server", "worker")}
    again = laptop.daemon("up")
    assert again.returncode == 0, again.stderr
    assert "decided now" not in again.stdout
    assert pids == {name: Background(name, laptop.state / "prefect").facts()["pid"] for name in pids}


def test_daemon_of_another_version_is_started_anew_when_it_is_brought_up(laptop):
    """An older worker would start flows as its own version did, from files that are there no more."""
    before = {name: Background(name, laptop.state / "prefect") for name in ("server", "worker")}
    facts = before["worker"].facts()
    before["worker"].record.write_text(json.dumps(facts | {"made_of": "portfolio 0.0.9, prefect 3.0.0, prefect"}))
    pids = {name: each.facts()["pid"] for name, each in before.items()}
    again = laptop.daemon("up")
    assert again.returncode == 0, again.stderr
    assert "Started anew: what ran was of another version." in again.stdout
    assert all(each.runs() and each.facts()["pid"] != pids[name] for name, each in before.items())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_health_finds_the_daemon_and_what_its_flows_did(laptop):
    told = document(portfolio(laptop.folder, "health", "--json"))
    seen = {check["check"]: check["status"] for check in told["checks"]}
    assert {seen[name] for name in ("prefect", DATA_UPDATE, SIGNAL_GENERATION)} == {"HEALTHY"}


def test_daemon_sends_nothing_home(laptop):
    settings = httpx.get(f"http://127.0.0.1:{laptop.port}/api/admin/settings").json()["server"]
    assert settings["analytics_enabled"] is False
    assert settings["ui"]["show_promotional_content"] is False


def test_running_flow_finishes_before_the_daemon_ends(laptop):
    laptop.prefect.create(DATA_UPDATE)
    assert wait_until(lambda: bool(laptop.prefect.runs(DATA_UPDATE, "PENDING", "RUNNING")), 60)
    down = laptop.daemon("down")
    assert (down.returncode, down.stdout) == (0, "Ended.\n")
    assert laptop.outcomes()[DATA_UPDATE] == "done"
    assert not any(Background(name, laptop.state / "prefect").runs() for name in ("server", "worker"))
    assert "Nothing runs." in laptop.daemon("down").stdout


def test_port_of_another_server_is_refused_with_what_to_do(laptop):
    with socket.create_server(("127.0.0.1", laptop.port)) as other:
        other.listen()
        up = laptop.daemon("up")
    assert up.returncode == 2
    assert "make up PORT=" in up.stderr
