"""What can go wrong between us and a service, by what helps: asking again, waiting, or a person."""

from __future__ import annotations

from portfolio.errors import SourceError


class PassingError(SourceError):
    """A fault that another try may not meet: a time-out, a broken line, a cut-off or empty answer, a 5xx."""

    rule = "fetch-failed"


class OutOfTimeError(PassingError):
    """The time that a service is given for the whole fetch is used up."""


class RateLimitError(PassingError):
    """The service says that it is asked too often; `wait_s` is how long it wants to be left alone, when it says so."""

    rule = "rate-limited"

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class RefusedError(SourceError):
    """An answer that stays the same however often it is asked for; `whole_service` when it is about all that we ask."""

    def __init__(self, message: str, *, rule: str = "request-refused", whole_service: bool = False) -> None:
        super().__init__(message)
        self.rule = rule
        self.whole_service = whole_service


def of_status(status: int, what: str, retry_after: str | None = None) -> PassingError | None:
    """Name the passing fault that an HTTP status stands for; None when the status is none."""
    if status == 429:  # noqa: PLR2004  # Too Many Requests, RFC 6585
        wait_s = float(retry_after) if retry_after and retry_after.strip().isdigit() else 0.0
        return RateLimitError(f"{what}: asked too often (HTTP 429)", wait_s)
    if status >= 500:  # noqa: PLR2004  # the server's own faults, RFC 9110
        return PassingError(f"{what}: the service has a fault of its own (HTTP {status})")
    return None
