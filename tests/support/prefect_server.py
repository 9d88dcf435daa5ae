"""A real Prefect server of the test's own, and what a test asks it."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.names import MANAGED
from flows.prefect_api import PrefectApi
from flows.processes import Background
from tests.support.command import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

READY_S = 120.0
ENDED_S = 20.0


@dataclass(frozen=True, slots=True)
class Prefect:
    """A running server: its API's address, and the variables of a process that is to use it."""

    url: str
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.home),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }

    def ask(self, path: str, **document: Any) -> Any:
        """POST a document and return the answer."""
        return PrefectApi(self.url).ask("POST", path, document)

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Our deployments by the name of their flow."""
        found = self.ask("/deployments/filter", deployments={"tags": {"all_": [MANAGED]}})
        return {self.flow_name(item["flow_id"]): item for item in found}

    def flow_name(self, flow_id: str) -> str:
        return PrefectApi(self.url).ask("GET", f"/flows/{flow_id}")["name"]

    def runs(self, flow: str, *states: str) -> list[dict[str, Any]]:
        """Runs of a flow in the given types of state, the one expected first at the front."""
        wanted: dict[str, Any] = {"state": {"type": {"any_": list(states)}}} if states else {}
        found = self.ask(
            "/flow_runs/filter", flows={"name": {"any_": [flow]}}, flow_runs=wanted, sort="EXPECTED_START_TIME_ASC"
        )
        return list(found)

    def waiting(self, flow: str) -> list[str]:
        """Ids of a flow's runs that a worker would take now; those of the schedule lie in the future."""
        now = datetime.now(UTC)
        runs = self.runs(flow, "SCHEDULED")
        return [run["id"] for run in runs if datetime.fromisoformat(run["expected_start_time"]) <= now]

    def create(self, flow: str, **parameters: Any) -> str:
        """Ask for a run of a flow's deployment, as its schedule or a person would; returns its id."""
        deployment = self.deployments()[flow]["id"]
        created = self.ask(
            f"/deployments/{deployment}/create_flow_run", parameters=parameters, state={"type": "SCHEDULED"}
        )
        return created["id"]


@contextmanager
def prefect_server(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[Prefect]:
    """Start a server with a database of its own, wait until it is ready, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    prefect = Prefect(f"http://127.0.0.1:{port}/api", home)
    kept = {key: value for key, value in os.environ.items() if key in KEPT}
    server = Background("server", home)
    command = ["server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(port)]
    server.start(
        [sys.executable, "-m", "prefect", *command],
        kept | prefect.variables | {"HOME": str(home)} | dict(settings or {}),
        {},
    )
    try:
        server.wait_for(PrefectApi(prefect.url).is_ready, READY_S)
        yield prefect
    finally:
        server.end(ENDED_S)
