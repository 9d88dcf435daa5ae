"""What a release's own health check finds, and whether that is worse than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.release.failures import ReleaseError

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


def ensure_no_worse(host: Host, version: str, before: Iterable[str]) -> None:
    """Raise ReleaseError when something is unhealthy to a release that was not so before it."""
    new = {name: seen for name, seen in unhealthy(host, version).items() if name not in set(before)}
    if new:
        message = f"Unhealthy since the switch: {'; '.join(f'{name}: {seen}' for name, seen in new.items())}"
        raise ReleaseError(message)
