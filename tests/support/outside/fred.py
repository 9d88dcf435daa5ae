"""FRED's wire: observations with their vintages as XML or JSON, and its error bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import pandas as pd

from tests.support.outside.market import NEW_YORK
from tests.support.outside.records import XML, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tests.support.outside.records import Question

API_KEY = "stub" * 8
KEY_LENGTH = 32
FOR_EVER = "9999-12-31"
MOST_VINTAGES = 2000  # FRED refuses a span of real time with more
ADVICE = "Read https://fred.stlouisfed.org/docs/api/api_key.html for more information."


def fred_error(query: Mapping[str, str], code: int, message: str) -> Answer:
    """An error as FRED words it, in the format asked for."""
    if query.get("file_type") == "json":
        return Answer(code, json.dumps({"error_code": code, "error_message": message}).encode())
    text = f'<?xml version="1.0" encoding="utf-8" ?>\n<error code="{code}" message={quoteattr(message)} />\n'
    return Answer(code, text.encode(), XML)


def key_refused(query: Mapping[str, str]) -> str:
    """Why the key is not accepted; empty when it is."""
    key = query.get("api_key", "")
    if not key:
        return f"Bad Request.  Variable api_key is not set.  {ADVICE}"
    if len(key) != KEY_LENGTH or not key.isalnum() or key != key.lower():
        rule = "is not a 32 character alpha-numeric lower-case string"
        return f"Bad Request.  The value for variable api_key {rule}.  {ADVICE}"
    return "" if key == API_KEY else "Bad Request.  The value for variable api_key is not registered."


def today_at(now: datetime) -> str:
    """FRED's own day, which begins in America."""
    return f"{pd.Timestamp(now).tz_convert(NEW_YORK):%Y-%m-%d}"


def answer_observations(question: Question, known: pd.DataFrame | None, now: datetime) -> Answer:
    """Answer with the observations known by now, as they stood in the span of real time asked for."""
    query, today = question.query, today_at(now)
    begins, ends = query.get("realtime_start", today), query.get("realtime_end", today)
    refused = key_refused(query)
    if not refused and known is None:
        refused = "Bad Request.  The series does not exist."
    if not refused and begins > today:
        refused = "Bad Request.  Variable realtime_start can not be after today's date."
    if refused or known is None:
        return fred_error(query, 400, refused)
    rows = vintages(known, begins, ends)
    if rows["realtime_start"].nunique() > MOST_VINTAGES:
        return fred_error(query, 400, "Bad Request.  This exceeds the maximum number of vintage dates allowed (2000).")
    return _page(rows, query, {"realtime_start": begins, "realtime_end": ends})


def vintages(known: pd.DataFrame, begins: str, ends: str) -> pd.DataFrame:
    """Texts date, value, realtime_start, realtime_end of each value that stood in [begins, ends], cut to that span."""
    day = "%Y-%m-%d"
    following = known.groupby("date")["realtime_start"].shift(-1) - pd.Timedelta(days=1)
    rows = pd.DataFrame(
        {
            "date": known["date"].dt.strftime(day),
            "value": ["." if pd.isna(value) else f"{value:.10g}" for value in known["value"]],
            "realtime_start": known["realtime_start"].dt.strftime(day),
            "realtime_end": following.dt.strftime(day).fillna(FOR_EVER),
        }
    )
    rows = rows[(rows["realtime_start"] <= ends) & (rows["realtime_end"] >= begins)]
    starts, stops = rows["realtime_start"], rows["realtime_end"]
    return rows.assign(
        realtime_start=starts.where(starts >= begins, begins), realtime_end=stops.where(stops <= ends, ends)
    )


def _page(rows: pd.DataFrame, query: Mapping[str, str], realtime: dict[str, str]) -> Answer:
    first, last = query.get("observation_start", "1776-07-04"), query.get("observation_end", FOR_EVER)
    rows = rows[(rows["date"] >= first) & (rows["date"] <= last)]
    if query.get("sort_order") == "desc":
        rows = rows[::-1]
    offset, limit = int(query.get("offset", "0")), int(query.get("limit", "100000"))
    kind = query.get("file_type", "xml")
    head = realtime | {
        "observation_start": first,
        "observation_end": last,
        "units": "lin",
        "output_type": "1",
        "file_type": kind,
        "order_by": "observation_date",
        "sort_order": query.get("sort_order", "asc"),
        "count": str(len(rows)),
        "offset": str(offset),
        "limit": str(limit),
    }
    observations = rows.iloc[offset : offset + limit].to_dict("records")
    if kind == "json":
        numbers = {name: int(head[name]) for name in ("output_type", "count", "offset", "limit")}
        return Answer(200, json.dumps(head | numbers | {"observations": observations}).encode())
    lines = [f"  <observation {_attributes(row)}/>" for row in observations]
    text = "\n".join([f'<?xml version="1.0" encoding="utf-8" ?>\n<observations {_attributes(head)}>', *lines])
    return Answer(200, f"{text}\n</observations>\n".encode(), XML)


def _attributes(values: Mapping[Any, Any]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in values.items())
