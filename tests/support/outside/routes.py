"""From a request's path to what it asks: which service, which endpoint, about what."""

from __future__ import annotations

from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.outside.records import FRED, PING, YAHOO, Question

CHART = "/v8/finance/chart/"
YAHOO_GATE = {
    "/": "cookie",
    "": "cookie",
    "/v1/test/getcrumb": "crumb",
    "/consent": "consent",
    "/v2/collectConsent": "collect-consent",
    "/copyConsent": "copy-consent",
}


def question_of(target: str, cookie: str, body: str) -> Question | None:
    """Read a request; None when none of the services has such a path."""
    parts = urlsplit(target)
    _, service, *rest = parts.path.split("/", 2)
    path = "/" + rest[0] if rest else ""
    query = dict(parse_qsl(parts.query))
    found = _endpoint(service, path, query)
    if found is None:
        return None
    cookies = {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
    return Question(service, *found, path, query, cookies, body)


def _endpoint(service: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
    if service == YAHOO and path.startswith(CHART):
        return "chart", unquote(path.removeprefix(CHART))
    if service == YAHOO:
        endpoint = YAHOO_GATE.get(path)
        return (endpoint, "") if endpoint else None
    if service == FRED and path == "/series/observations":
        return "observations", query.get("series_id", "")
    if service == PING:
        check, _, signal = path.removeprefix("/").partition("/")
        return signal or "success", check
    return None
