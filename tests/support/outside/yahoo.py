"""Yahoo's wire: the cookie host, the crumb, the consent pages, and the chart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tests.support.outside.charts import PRICES
from tests.support.outside.records import HTML, TEXT, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.outside.charts import Chart
    from tests.support.outside.records import Question

COOKIE, CRUMB, SESSION = "d=AQABBstub&S=AQAAAstub", "stub.Crumb1", "3_cc-session_stub"
A_YEAR_S = 31557600
RANGES = {"1d": 1, "5d": 5, "1mo": 22, "3mo": 65, "6mo": 130, "1y": 260, "2y": 520, "5y": 1300, "10y": 2600}

CONSENT_PAGE = f"""<!DOCTYPE html><html><head><title>Yahoo is part of the Yahoo family of brands</title></head><body>
<form method="post" action="/yahoo/v2/collectConsent?sessionId={SESSION}">
<input type="hidden" name="csrfToken" value="stubtoken"/><input type="hidden" name="sessionId" value="{SESSION}"/>
<input type="hidden" name="originalDoneUrl" value="https://finance.yahoo.com/"/>
<input type="hidden" name="namespace" value="yahoo"/>
<button type="submit" name="agree" value="agree">Accept all</button></form></body></html>"""


def answer_gate(question: Question) -> Answer:
    """Answer what comes before data: cookie, consent and crumb."""
    if question.endpoint == "cookie":
        # The real cookie host has no page either: only the header matters.
        return Answer(404, b"", HTML, (_cookie(),))
    if question.endpoint == "consent":
        return Answer(200, CONSENT_PAGE.encode(), HTML)
    if question.endpoint == "collect-consent":
        return Answer(302, b"", HTML, (("Location", f"/yahoo/copyConsent?sessionId={SESSION}"),))
    if question.endpoint == "copy-consent":
        return Answer(200, b"<html></html>", HTML, (_cookie(), ("Set-Cookie", "GUCS=agreed; Path=/")))
    if question.cookies.get("A3") != COOKIE:
        return refusal(401, "Unauthorized", "Invalid Cookie", "finance")
    return Answer(200, CRUMB.encode(), TEXT)


def _cookie() -> tuple[str, str]:
    return "Set-Cookie", f"A3={COOKIE}; Max-Age={A_YEAR_S}; Path=/; SameSite=None"


def refusal(status: int, code: str, description: str, root: str = "chart") -> Answer:
    """An error as Yahoo words it."""
    body = {root: {"result": None, "error": {"code": code, "description": description}}}
    return Answer(status, json.dumps(body).encode())


def unknown_symbol() -> Answer:
    """What Yahoo says of a symbol it does not know, or does not find just now."""
    return refusal(404, "Not Found", "No data found, symbol may be delisted")


def answer_chart(question: Question, chart: Chart) -> Answer:
    """Answer with the part of the chart that was asked for: period1 to period2, or a range."""
    asked = question.query
    if asked.get("crumb", CRUMB) != CRUMB:
        return refusal(401, "Unauthorized", "Invalid Crumb", "finance")
    if asked.get("interval", "1d") != "1d":
        return refusal(422, "Unprocessable Entity", f"The stub has no interval {asked['interval']}")
    if "range" in asked:
        count = RANGES.get(asked["range"], len(chart.bars))
        first = int(chart.bars["stamp"].iloc[-count:].min()) if len(chart.bars) else 0
        window = (first, np.iinfo(np.int64).max)
    else:
        window = (int(asked["period1"]), int(asked["period2"]))
        if chart.bars.empty or window[1] <= int(chart.bars["stamp"].iloc[0]):
            text = f"Data doesn't exist for startDate = {window[0]}, endDate = {window[1]}"
            return refusal(400, "Bad Request", text)
    return Answer(200, json.dumps({"chart": {"result": [_result(chart, window, asked)], "error": None}}).encode())


def _result(chart: Chart, window: tuple[int, int], asked: Mapping[str, str]) -> dict[str, Any]:
    bars = _within(chart.bars, window)
    result: dict[str, Any] = {"meta": chart.meta | {"range": asked.get("range", "")}}
    events = _events(chart, window, asked.get("events", ""))
    if bars.empty:
        return result | {"indicators": {"quote": [{}], "adjclose": [{}]}}
    result["timestamp"] = bars["stamp"].tolist()
    if events:
        result["events"] = events
    quote = {column: _numbers(bars[column]) for column in PRICES} | {"volume": _whole(bars["volume"])}
    result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": _numbers(bars["adjclose"])}]}
    return result


def _events(chart: Chart, window: tuple[int, int], wanted: str) -> dict[str, Any]:
    events: dict[str, Any] = {}
    names = wanted.replace("|", ",").split(",")
    dividends, splits = _within(chart.dividends, window), _within(chart.splits, window)
    if "div" in names and len(dividends):
        events["dividends"] = {str(stamp): {"amount": amount, "date": stamp} for stamp, amount in _pairs(dividends)}
    if {"split", "splits"} & set(names) and len(splits):
        events["splits"] = {str(stamp): _split(stamp, ratio) for stamp, ratio in _pairs(splits)}
    return events


def _pairs(rows: pd.DataFrame) -> list[tuple[int, float]]:
    stamps, values = (rows.iloc[:, column].tolist() for column in (0, 1))
    return list(zip(stamps, values, strict=True))


def _split(stamp: int, ratio: float) -> dict[str, Any]:
    new, old = (ratio, 1.0) if ratio >= 1 else (1.0, round(1 / ratio, 6))
    return {"date": stamp, "numerator": new, "denominator": old, "splitRatio": f"{new:g}:{old:g}"}


def _within(rows: pd.DataFrame, window: tuple[int, int]) -> pd.DataFrame:
    return rows[(rows["stamp"] >= window[0]) & (rows["stamp"] < window[1])]


def _numbers(values: pd.Series) -> list[float | None]:
    """Yahoo computes in 32 bits and prints them in full; no value is null."""
    narrow = values.to_numpy(dtype="float32").astype("float64")
    return [None if np.isnan(value) else value for value in narrow.tolist()]


def _whole(values: pd.Series) -> list[int | None]:
    return [None if pd.isna(value) else int(value) for value in values]
