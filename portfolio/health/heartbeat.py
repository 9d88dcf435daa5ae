"""The dead-man's switch: a service elsewhere is told when a job starts and how it ends, and alarms at silence.

The wire is that of healthchecks.io: POST to `<base>/<check>/start`, `<base>/<check>` or `<base>/<check>/fail`, with
`?rid=` joining the pings of one run. A ping's own failure is a warning in the log, never the job's.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from portfolio import __version__
from portfolio.errors import ExitCode, PortfolioError
from portfolio.health.deadline import within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from portfolio.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0  # a whole ping, a second try included: a healthy service answers in well under one
PAUSE_S = 0.5  # before the second try: a service behind a proxy that restarts is back by then
TRIES = 2
BODY_BYTES = 400  # a line for a person; some services keep no more of a ping
ANSWER_BYTES = 100  # "OK", or a word on what is wrong
UNKNOWN_CHECK = "the service knows no such check: compare HEALTHCHECK_UUID with the check's page"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One job's pings to one check; without a check nothing is sent.

    `run_id` joins the pings of one run, whose duration the service then tells; empty when its pings come from several.
    """

    url: str
    check: str | None = field(repr=False)
    run_id: str = ""
    timeout_s: float = TIMEOUT_S

    @classmethod
    def from_settings(cls, settings: Settings, run_id: str = "") -> Heartbeat:
        """Return the pings of one run under the settings."""
        check = settings.healthcheck_uuid
        return cls(settings.healthchecks_url, check.get_secret_value() if check else None, run_id)

    def start(self) -> None:
        """Tell that the job starts."""
        self._ping("start", "")

    def success(self, body: str = "") -> None:
        """Tell that the job's outputs were seen to be there."""
        self._ping("success", body)

    def fail(self, body: str = "") -> None:
        """Tell that the job failed; the alarm goes off at once."""
        self._ping("fail", body)

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Ping the start, and at the end success when the outputs were called verified, else fail.

        What is raised inside is raised on, unchanged.
        """
        self.start()
        watch = Watch()
        try:
            yield watch
        except BaseException as error:
            self.fail(f"{failure_in_words(error)}; {self._stamp}")
            raise
        if watch.verified_as is not None:
            self.success(watch.verified_as)
        else:
            self.fail(f"{watch.failed_as or 'its outputs were not verified'}; {self._stamp}")

    @property
    def _stamp(self) -> str:
        return f"release {__version__}, run {self.run_id or 'without a name'}"

    def _ping(self, signal: str, body: str) -> None:
        if self.check is None:
            log.debug("no HEALTHCHECK_UUID is set: no heartbeat", extra={"signal": signal})
            return
        try:
            trouble = within(self.timeout_s, lambda: self._sent(signal, body))
        except TimeoutError:
            trouble = f"no whole answer within {self.timeout_s:g} s"
        except RuntimeError:
            trouble = "the system gives no thread to send it from"
        if trouble:
            log.warning("a heartbeat did not arrive", extra={"signal": signal, "to": self.url, "reason": trouble})

    def _sent(self, signal: str, body: str) -> str:
        """Send a ping, twice when it fails in a way that may pass; returns what went wrong, empty when nothing did."""
        deadline = time.monotonic() + self.timeout_s
        trouble = ""
        for _ in range(TRIES):
            trouble, may_pass = self._tried(signal, body, deadline - time.monotonic())
            if not may_pass or deadline - time.monotonic() <= PAUSE_S:
                break
            time.sleep(PAUSE_S)
        return trouble

    def _tried(self, signal: str, body: str, left_s: float) -> tuple[str, bool]:
        """Try once; returns what went wrong and whether it may pass. No text of an error leaves: it has the address."""
        import requests  # noqa: PLC0415  # a sixth of a second, for those who have a check

        path = "" if signal == "success" else f"/{signal}"
        try:
            with requests.post(
                f"{self.url}/{self.check}{path}",
                params={"rid": str(uuid5(NAMESPACE_URL, self.run_id))} if self.run_id else {},
                data=body.encode()[:BODY_BYTES].decode(errors="ignore").encode(),
                headers={"User-Agent": f"financeportfolio/{__version__}", "Content-Type": "text/plain; charset=utf-8"},
                timeout=left_s,
                allow_redirects=False,  # the check's name is a secret, and goes to the service that was named
                stream=True,
            ) as answer:
                return _trouble_of(answer)
        except requests.Timeout:
            return "no answer in time", False
        except requests.ConnectionError:
            return "the service cannot be reached", True
        except (OSError, ValueError) as error:
            return f"{type(error).__name__} while sending it", False


@dataclass(slots=True)
class Watch:
    """What a watched job has said of its end."""

    verified_as: str | None = None
    failed_as: str = ""

    def verified(self, body: str) -> None:
        """Take note that the outputs are there, and of the line that tells what they are."""
        self.verified_as = body

    def failed(self, reason: str) -> None:
        """Take note that the job ended without raising, but not well."""
        self.failed_as = reason


def failure_in_words(error: BaseException) -> str:
    """Say what kind of failure it is: a message may name amounts and paths, and a ping leaves the machine."""
    code = error.exit_code if isinstance(error, PortfolioError) else ExitCode.FAILED
    return f"{type(error).__name__}, exit {int(code)}"


def _trouble_of(answer: Response) -> tuple[str, bool]:
    """Judge an answer. healthchecks.io says "OK (not found)", with status 200, of a check it doesn't know."""
    text = next(answer.iter_content(ANSWER_BYTES), b"").lower()
    if answer.status_code == 404 or b"not found" in text:  # noqa: PLR2004  # HTTP's own number
        return UNKNOWN_CHECK, False
    if 300 <= answer.status_code < 400:  # noqa: PLR2004  # as above
        return f"redirected (HTTP {answer.status_code}), and not followed: see PORTFOLIO_HEALTHCHECKS_URL", False
    if not answer.ok:
        return f"HTTP {answer.status_code}", answer.status_code >= 500  # noqa: PLR2004  # as above
    return ("the service takes no more pings for now", False) if b"rate limited" in text else ("", False)
