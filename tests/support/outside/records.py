"""What the stub was asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

YAHOO, FRED, PING = "yahoo", "fred", "ping"
JSON, XML, HTML, TEXT = "application/json;charset=utf-8", "text/xml; charset=utf-8", "text/html", "text/plain"


@dataclass(frozen=True, slots=True)
class Question:
    """One request: the service and its endpoint, the symbol, series or check it is about, and what came with it."""

    service: str
    endpoint: str
    subject: str
    path: str
    query: Mapping[str, str]
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was answered, for a test to count; `status` 0: the connection ended without one."""

    service: str
    endpoint: str
    subject: str
    path: str
    query: Mapping[str, str]
    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, and how its bytes leave.

    `wait_s`: silence before the first byte; `pace_s`: seconds between two bytes; `sent`: how much of the body leaves
    before the connection is closed (None: all); `reset`: the connection is torn down instead of answering.
    """

    status: int
    body: bytes
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0
    pace_s: float = 0.0
    sent: int | None = None
    reset: bool = False
