"""Prefect's client for a row of changes to its API, which asks again soon when the server's SQLite was locked."""

from __future__ import annotations

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client

# By itself the client waits 2, 4, 8, 16, 32 s after a 503, and another request's lock is gone in milliseconds. While
# a switch registers, scheduling stands still.
SOON_S = (0.1, 0.2, 0.4, 2.0, 10.0)
TOLD = "portfolio.told_to_wait"


def patient_client() -> SyncPrefectClient:
    """Return a client that asks again soon, as often as Prefect's own does."""
    return get_client(sync_client=True, httpx_settings={"event_hooks": {"response": [_say_when]}})


def _say_when(response: httpx.Response) -> None:
    """Add to a 503 what Prefect's server leaves out: when to ask again."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return
    told = response.request.extensions.get(TOLD, 0)
    response.request.extensions[TOLD] = told + 1
    if told < len(SOON_S):
        response.headers.setdefault("Retry-After", str(SOON_S[told]))
