"""The few questions the tool asks Prefect's API, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from portfolio.release.failures import ReleaseError
from portfolio.release.journal import remark

POOL = "portfolio"
MANAGED = "managed-by:portfolio"  # the tag that a release gives its deployments
ONLINE = "ONLINE"
TIMEOUT_S = 10.0
TRIES = 8  # a busy server's SQLite is locked, for milliseconds as a rule, which it tells as 503
FIRST_WAIT_S = 0.1  # doubled from try to try: 13 s in all
PASSING = frozenset({429, 503})
NOT_FOUND = 404
STARTING = timedelta(seconds=30)  # a run pending for longer has lost its worker


def queues_of(slot: str) -> tuple[str, str]:
    """Name a slot's queue, and that of its smoke runs, which pass while its own is still paused."""
    return slot, f"{slot}-smoke"


class NoSuchError(ReleaseError):
    """Prefect does not know what was asked for."""


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """Prefect's API at an address; `auth` is `user:password`, empty when the server asks for none."""

    url: str
    auth: str = ""

    def is_ready(self) -> bool:
        """Tell whether the server answers and reaches its database."""
        try:
            return self._once("GET", "/ready", None) is not None
        except (OSError, ValueError):
            return False

    def wait_ready(self, seconds: float) -> bool:
        """Wait for the server, for so long at most."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)
        return True

    def pause_queue(self, queue: str, *, paused: bool) -> None:
        """Let a queue give out runs, or not; runs that wait in it stay."""
        self.ask("PATCH", f"/work_pools/{POOL}/queues/{queue}", {"is_paused": paused})

    def is_paused(self, queue: str) -> bool:
        """Tell whether a queue gives out nothing."""
        return bool(self.ask("GET", f"/work_pools/{POOL}/queues/{queue}")["is_paused"])

    def seen_online(self, worker: str) -> datetime | None:
        """Tell when a worker that is online was heard of last."""
        found = self.ask("POST", f"/work_pools/{POOL}/workers/filter", {})
        beats = [item["last_heartbeat_time"] for item in found if item["name"] == worker and item["status"] == ONLINE]
        return max((datetime.fromisoformat(beat) for beat in beats if beat), default=None)

    def forget_worker(self, worker: str) -> None:
        """Sign a worker off that has ended, of which Prefect would think for a while that it is only silent."""
        with suppress(NoSuchError):
            self.ask("DELETE", f"/work_pools/{POOL}/workers/{worker}")

    def is_starting_one(self, *queues: str) -> bool:
        """Tell whether a worker has taken a run of the queues whose process is yet to come, or has just come."""
        wanted = {"state": {"type": {"any_": ["PENDING"]}}}
        of_queues = {"name": {"any_": queues}}
        found = self.ask("POST", "/flow_runs/filter", {"flow_runs": wanted, "work_pool_queues": of_queues})
        since = datetime.now(UTC) - STARTING
        return any(datetime.fromisoformat(run["state"]["timestamp"]) > since for run in found)

    def queues_of_deployments(self) -> frozenset[str]:
        """Return the queues that a release's deployments put their runs in."""
        wanted = {"deployments": {"tags": {"all_": [MANAGED]}}}
        return frozenset(item["work_queue_name"] for item in self.ask("POST", "/deployments/filter", wanted))

    def start_run(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Ask for a run of a deployment, `flow/name`, and return its id."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        key = str(uuid.uuid4())  # a try that was heard though its answer was lost, and the next, make one run
        wanted = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": key}
        return str(self.ask("POST", f"/deployments/{found['id']}/create_flow_run", wanted)["id"])

    def close_run(self, run: str, why: str) -> None:
        """Call a run crashed whose process has gone."""
        wanted = {"state": {"type": "CRASHED", "name": "Crashed", "message": why}, "force": True}
        self.ask("POST", f"/flow_runs/{run}/set_state", wanted)

    def state_of(self, run: str) -> tuple[str, str]:
        """Return the type and message of a run's state."""
        state = self.ask("GET", f"/flow_runs/{run}")["state"]
        return str(state["type"]), str(state.get("message") or "")

    def ask(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401  # any JSON
        """Send a request and return the answer; raises ReleaseError, after some tries, when there is none."""
        for number in range(TRIES):
            try:
                return self._once(method, path, document)
            except (OSError, ValueError) as error:
                status = error.code if isinstance(error, urllib.error.HTTPError) else None
                if number + 1 < TRIES and (status is None or status in PASSING):
                    wait_s = FIRST_WAIT_S * 2**number
                    remark(f"  Prefect's API did not do {method} {path} ({error}); asked again in {wait_s:g} s")
                    time.sleep(wait_s)
                    continue
                message = (
                    f"Prefect's API at {self.url} did not do {method} {path}: {error}. See prefect-server.service."
                )
                raise (NoSuchError if status == NOT_FOUND else ReleaseError)(message) from error
        raise AssertionError  # the last try has returned or raised

    def _once(self, method: str, path: str, document: object) -> Any:  # noqa: ANN401  # any JSON
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.auth:
            headers["Authorization"] = f"Basic {base64.b64encode(self.auth.encode()).decode()}"
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310  # our own server
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # nosec B310  # as above
            body = answer.read()
        return json.loads(body) if body else {}
