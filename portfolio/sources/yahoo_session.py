"""The HTTP session that yfinance is given: Yahoo's hosts or a stand-in, time-outs, a count, and faults by status."""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curl_cffi.requests import Session
from yfinance.cache import get_cookie_cache

from portfolio.sources.live_faults import RefusedError, of_status

if TYPE_CHECKING:
    from curl_cffi.requests import Response

    from portfolio.sources.live_wire import Deadline

CHART = "/v8/finance/chart/"
CRUMB = "/v1/test/getcrumb"
A_CRUMB = re.compile(r"[^\s<>{}]{1,64}")  # a short word; an error, a page or nothing is none
COOKIE_KEY = "curlCffi"  # under which yfinance keeps it
NOT_FOUND = 404
CONSENT_HOST = "https://consent.yahoo.com"


class YahooSession(Session):
    """curl_cffi's session as yfinance itself makes it, with `base` in place of every host of Yahoo's when it is set.

    No request takes longer than `timeout_s`, whatever yfinance asks for, nor outlasts the deadline; curl's time-out is
    of the whole transfer, so a trickling answer ends too. Of a chart, 429 and 5xx are raised at once: yfinance would
    repeat its whole dance for a cookie, which is no help and four requests more. A 404 is a symbol's own; other
    refusals (401, 403) may be the cookie's fault, and the dance is yfinance's way to mend it. What is no crumb is
    not handed on as one.
    """

    def __init__(self, base: str | None, timeout_s: float, deadline: Deadline) -> None:
        super().__init__(impersonate="chrome")
        self.count = 0
        self.chart: Response | None = None  # the newest chart's answer, as it came
        self._base = urlsplit(base) if base else None
        self._timeout_s = timeout_s
        self._deadline = deadline

    # pyrefly: ignore[bad-override]  # curl_cffi spells out thirty options, of which we read one
    def request(self, method: Any, url: str, **options: Any) -> Response:  # noqa: ANN401  # as there
        """Send a request; raises RateLimitError, PassingError or RefusedError of a chart, OSErrors else."""
        what = urlsplit(url).path.removeprefix(CHART) or "Yahoo"
        options["timeout"] = min(options.get("timeout") or self._timeout_s, self._timeout_s, self._deadline.left(what))
        self.count += 1
        self._share_cookies("yahoo.com", self._host)
        response = super().request(method, self._address(url), **options)
        self._share_cookies(self._host, ".yahoo.com")
        self._restore_consent_host(response)
        if CHART in url:
            self.chart = response
            self._ensure_no_fault(what, response)
        if CRUMB in url and not (response.ok and A_CRUMB.fullmatch(response.text)):
            # yfinance would take whatever came for the crumb, and be refused for it with every chart. Without one it
            # goes on, and a chart needs none.
            message = f"Yahoo gave no crumb: HTTP {response.status_code}, {len(response.content)} bytes"
            raise ConnectionError(message)
        return response

    def forget_cookies(self) -> None:
        """Have yfinance ask for a new cookie, here and in its cache."""
        self.cookies.clear()
        cache: Any = get_cookie_cache()
        cache.store(COOKIE_KEY, None)

    def _address(self, url: str) -> str:
        parts = urlsplit(url)
        if self._base is None or not (parts.hostname or "").endswith("yahoo.com"):
            return url
        prefix = self._base.path
        path = parts.path if prefix and parts.path.startswith(f"{prefix}/") else f"{prefix}{parts.path or '/'}"
        return parts._replace(scheme=self._base.scheme, netloc=self._base.netloc, path=path).geturl()

    @property
    def _host(self) -> str:
        return self._base.hostname or "" if self._base else ""

    def _share_cookies(self, owner: str, other: str) -> None:
        # yfinance keeps Yahoo's cookies between runs and asks for none as long as it has one: the stand-in's as well.
        if self._base:
            for cookie in [cookie for cookie in self.cookies.jar if cookie.domain.endswith(owner)]:
                shared = copy(cookie)
                shared.domain = other
                self.cookies.jar.set_cookie(shared)

    def _restore_consent_host(self, response: Response) -> None:
        # yfinance knows the consent page, to which it may be redirected, by its host.
        parts = urlsplit(str(response.url))
        if self._base and parts.netloc == self._base.netloc and parts.path.startswith(f"{self._base.path}/consent"):
            response.url = parts._replace(scheme="https", netloc=urlsplit(CONSENT_HOST).netloc).geturl()

    def _ensure_no_fault(self, what: str, response: Response) -> None:
        if fault := of_status(response.status_code, what, response.headers.get("Retry-After")):
            raise fault
        if response.status_code == NOT_FOUND:
            message = (
                f"{what}: Yahoo does not know the symbol (HTTP 404); look it up there, a renamed line has a new one, "
                "and mend the universe file"
            )
            raise RefusedError(message, rule="unknown-to-provider")
