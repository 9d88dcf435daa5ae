"""The few questions the daemon asks Prefect's API, without Prefect's client, whose import takes two seconds."""

from __future__ import annotations

from typing import Any

import httpx

TIMEOUT_S = 5.0
ONLINE = "ONLINE"


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
        response = self._post(f"/work_pools/{pool}/workers/filter", {})
        return any(worker["name"] == name and worker["status"] == ONLINE for worker in response)

    def pause_queue(self, pool: str, queue: str, *, paused: bool) -> None:
        """Let the queue give out runs, or not; runs that wait in it stay."""
        url = f"{self.url}/work_pools/{pool}/queues/{queue}"
        httpx.patch(url, json={"is_paused": paused}, timeout=TIMEOUT_S).raise_for_status()

    def _status(self, path: str) -> int | None:
        try:
            return httpx.get(f"{self.url}{path}", timeout=TIMEOUT_S).status_code
        except httpx.HTTPError:
            return None

    def _post(self, path: str, document: dict[str, Any]) -> list[dict[str, Any]]:
        response = httpx.post(f"{self.url}{path}", json=document, timeout=TIMEOUT_S)
        return response.raise_for_status().json()
