"""What a release's own health check finds, and whether that is worse than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.release.failures import ReleaseError
from portfolio.release.journal import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from portfolio.release.host import Host

UNHEALTHY = "UNHEALTHY"


def unhealthy(host: Host, version: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the checks that are unhealthy to a release, each with what it saw.

    Raises ReleaseError when it cannot say.
    """
    answer = host.answer_of(version, "portfolio", "health", "--json", settings=settings)
    try:
        found = {check["check"]: check["seen"] for check in answer["checks"] if check["status"] == UNHEALTHY}
        return found or ({"all in all": UNHEALTHY} if answer["status"] == UNHEALTHY else {})
    except (KeyError, TypeError) as error:
        message = f"Release {version}: its health is not told as agreed ({error!r} lacks)."
        raise ReleaseError(message) from error


def health_before(host: Host, serving: str | None) -> dict[str, str] | None:
    """Return what is unhealthy to the serving release; None when it cannot say, which keeps nobody from leaving it."""
    if serving is None:
        return {}
    try:
        return unhealthy(host, serving)
    except ReleaseError as error:
        say(f"  {serving} cannot tell its health, so none is compared with it: {error}")
        return None


def ensure_no_worse(host: Host, version: str, before: Iterable[str] | None) -> None:
    """Raise ReleaseError when something is unhealthy to a release that was not so before it; None: not known."""
    found = unhealthy(host, version)
    if before is None:  # that it can tell at all is more than the release before could
        return
    new = {name: seen for name, seen in found.items() if name not in set(before)}
    if new:
        message = f"Unhealthy since the switch: {'; '.join(f'{name}: {seen}' for name, seen in new.items())}"
        raise ReleaseError(message)
