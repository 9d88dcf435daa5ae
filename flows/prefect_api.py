"""The few questions the daemon asks Prefect's API, without Prefect's client, whose import takes two seconds."""

from __future__ import annotations

from typing import Any

import httpx
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

LOOK_S = 5.0
TIMEOUT_S = 30.0
PATIENCE_S = 60.0
PASSING = frozenset({httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS})  # a locked SQLite is the first
ONLINE = "ONLINE"


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code in PASSING


class PrefectApi:
    """Prefect's API at an address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answers(self) -> bool:
        """Tell whether anything listens there."""
        return self._status("/health") is not None

    def is_ready(self) -> bool:
        """Tell whether the server can reach its database."""
        return self._status("/ready") == httpx.codes.OK

    def worker_is_online(self, pool: str, name: str) -> bool:
        """Tell whether the worker has announced itself."""
        workers = self.ask("POST", f"/work_pools/{pool}/workers/filter", {})
        return any(worker["name"] == name and worker["status"] == ONLINE for worker in workers)

    def pause_queue(self, pool: str, queue: str, *, paused: bool) -> None:
        """Let the queue give out runs, or not; runs that wait in it stay."""
        self.ask("PATCH", f"/work_pools/{pool}/queues/{queue}", {"is_paused": paused})

    @retry(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.2, max=3),
        reraise=True,
    )
    def ask(self, method: str, path: str, document: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  # any JSON
        """Send a request and return the answer, tried again while the database of a busy server is locked."""
        response = httpx.request(method, f"{self.url}{path}", json=document, timeout=TIMEOUT_S).raise_for_status()
        return response.json() if response.content else None

    def _status(self, path: str) -> int | None:
        try:
            return httpx.get(f"{self.url}{path}", timeout=LOOK_S).status_code
        except httpx.HTTPError:
            return None
