"""Whether a candidate decides as the serving release does, on the same copy of the live data.

Two questions. Does it give the newest *logged* decision again, from what was logged with it (DESIGN 2.3)? And does it
decide that session as the serving release would today: with its own defaults, universe and code, orders included?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portfolio.release.failures import RefusedError
from portfolio.release.journal import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.release.host import Host

TOLERANCE = 1e-9  # of probabilities, across releases; weights are whole basis points and must be the same
EXACTLY = ("session", "as_of", "decision", "weights", "limits_bound", "model_id", "target")
ORDER = ("side", "ticker", "quantity")


@dataclass(frozen=True, slots=True)
class Decided:
    """What a release says about the newest logged session: decided today as at that instant, and the orders of it."""

    at: str
    answer: dict[str, Any]
    orders: list[dict[str, Any]]


def decided_by(host: Host, version: str, settings: Mapping[str, str], at: str = "") -> Decided | None:
    """Let a release decide the newest logged session on a copy; None when none was ever logged.

    `at` is the instant, else that of the newest logged decision.
    """
    if not at:
        logged = _replayed(host, version, settings)["logged"]
        if logged is None:
            say("check: no decision is logged yet, so there is none to reproduce")
            return None
        at = str(logged["decided_at"])
    answer = host.answer_of(version, "portfolio", "signal", "--as-of", at, "--json", settings=settings)
    orders = host.answer_of(version, "portfolio", "orders", "--as-of", at, "--json", settings=settings)
    return Decided(at, answer, list(orders["orders"]))


def ensure_agrees(
    host: Host, version: str, settings: Mapping[str, str], serving: Decided, expected_change: str
) -> None:
    """Raise RefusedError when the candidate decides otherwise and no change was expected."""
    replayed = _replayed(host, version, settings)
    found = [f"logged {name}" for name in differences(replayed["logged"], replayed["recomputed"])]
    candidate = decided_by(host, version, settings, serving.at)
    if candidate is None:
        raise AssertionError  # the instant was given
    found += [f"today's {name}" for name in differences(serving.answer, candidate.answer)]
    found += ["today's orders"] * (_plain(serving.orders) != _plain(candidate.orders))
    _tell(version, str(replayed["logged"]["session"]), found, expected_change)


def _tell(version: str, session: str, found: list[str], expected_change: str) -> None:
    if not found:
        say(f"check: the decision for session {session} is reproduced, and would be taken so again")
    elif expected_change:
        say(f"check: session {session} differs in {', '.join(found)}, as expected: {expected_change}")
    else:
        message = (
            f"Release {version} decides session {session} otherwise than the serving one: {', '.join(found)}. When "
            'that is meant: --expect-signal-change "the reason", which is recorded.'
        )
        raise RefusedError(message)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name what makes two answers different decisions: probabilities may differ in their last digits only."""
    found = [name for name in EXACTLY if old[name] != new.get(name)]
    before, after = old["regime"]["probabilities"], new["regime"]["probabilities"]
    if before.keys() != after.keys() or any(abs(before[name] - after[name]) > TOLERANCE for name in before):
        found.append("probabilities")
    return found


def _replayed(host: Host, version: str, settings: Mapping[str, str]) -> dict[str, Any]:
    return host.answer_of(version, "portfolio", "signal", "--replay", "--json", settings=settings)


def _plain(orders: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(tuple(order[name] for name in ORDER) for order in orders)
