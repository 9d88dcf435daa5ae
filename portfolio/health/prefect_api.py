"""Whether Prefect's server answers, asked with little patience."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from portfolio.health.deadline import within
from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 2.0  # for both questions: a server on this machine answers in hundredths
QUESTIONS = {"/health": "it lives", "/ready": "it has its database"}
TO_DO = "start it (`make up`, or its unit) and see its log; until then no schedule fires: run `portfolio run` by hand"


def daemon_address(state_dir: Path) -> str | None:
    """Return where the API of the daemon in the background is (`make up`); it leaves no record when it was ended."""
    try:
        url = json.loads((state_dir / "prefect" / "server.json").read_text("utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if isinstance(url, str) else None


def check_prefect(url: str | None, *, decided: bool) -> tuple[Check, ...]:
    """Ask Prefect's API, when there is one to ask.

    A scheduler that is down costs nothing while the opened session has its decision; without one nobody will make it.
    """
    if url is None:
        return ()
    try:
        trouble = within(TIMEOUT_S, lambda: _trouble(url))
    except TimeoutError:
        trouble = f"no answer within {TIMEOUT_S:g} s"
    if not trouble:
        return (Check("prefect", Status.HEALTHY, f"{url} is ready"),)
    status = Status.DEGRADED if decided else Status.UNHEALTHY
    return (Check("prefect", status, f"{url}: {trouble}", TO_DO),)


def _trouble(url: str) -> str:
    for path, meaning in QUESTIONS.items():
        try:
            code = _status(url + path)
        except (OSError, HTTPException, ValueError) as error:
            return f"{path} cannot be asked ({type(error).__name__})"
        if code != HTTPStatus.OK:
            return f"{path} (that {meaning}) answers HTTP {code}"
    return ""


def _status(url: str) -> int:
    """Ask once and return the status. The standard library's client: it follows no redirect, and is quick to import."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    finally:
        connection.close()
