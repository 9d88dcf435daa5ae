"""Flagged rows as quarantine records and findings: what was seen, which rule, what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sessions import HOME_EXCHANGE, sessions_between
from portfolio.sources.batch import QUARANTINE_DTYPES, empty_frame

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from datetime import date, datetime

# A doubtful price older than this many sessions blocks nothing any more: the series has gone on without it.
DOUBT_SESSIONS = 5
RECENT_SESSIONS = 10  # younger findings are told one by one, older ones as a count
OLD_TOLD_SINGLY = 3  # up to so many old rows of one rule are still told one by one
RECENT_TOLD_SINGLY = 10  # and so many recent ones: a page of the same finding hides the others

TOLD_ONCE = "restated-history"  # a rule about a whole history: its rows say the same


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a row is set aside: stable name, severity, a sentence with the rule and what to do, the columns to show."""

    name: str
    severity: Severity
    sentence: str
    shows: tuple[str, ...]


def quarantine_rows(kind: str, rows: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """Turn flagged rows into quarantine records.

    `rows` has a `symbol` or `series` column; `rules` holds the rule that each row breaks.
    """
    if rows.empty:
        return empty_frame(QUARANTINE_DTYPES)
    subject = "series" if kind == "macro" else "symbol"
    records = rows.to_dict("records")
    return pd.DataFrame(
        {
            "kind": kind,
            "symbol": rows[subject].astype("str").to_numpy(),
            "observed_on": rows["observed_on"].to_numpy(),
            "rule": [rule.name for rule in rules],
            "severity": [str(rule.severity) for rule in rules],
            "message": [_message(row, subject, rule) for row, rule in zip(records, rules, strict=True)],
            "payload": [json.dumps(_plain(row), sort_keys=True) for row in records],
            "available_at": rows["available_at"].array,  # as an array NaT alone would lose its time zone
        }
    ).astype(QUARANTINE_DTYPES)


def _message(row: Mapping[Hashable, object], subject: str, rule: Rule) -> str:
    seen = ", ".join(f"{column} {_shown(row[column])}" for column in rule.shows)
    return f"{row[subject]} {_shown(row['observed_on'])}: {rule.sentence}; seen {seen}."


def _shown(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d") if value == value.normalize() else value.isoformat()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _plain(row: Mapping[Hashable, object]) -> dict[str, object]:
    return {str(column): _json_value(value) for column, value in row.items()}


def _json_value(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, int | str):
        return value
    return value if isinstance(value, float) and abs(value) < float("inf") else str(value)


def sessions_back(day: date, count: int) -> pd.Timestamp:
    """Return the day `count` home sessions back: of that many sessions up to `day`, the first."""
    return pd.Timestamp(sessions_between(HOME_EXCHANGE, day - timedelta(days=3 * count + 15), day)[-count])


def findings_of(quarantined: pd.DataFrame, fetched_at: datetime) -> Iterable[Finding]:
    """Tell the quarantined rows as findings: recent ones singly, many old ones of one rule as a count.

    An ERROR about a row older than DOUBT_SESSIONS becomes a WARNING: the row is out and the series went on.
    """
    recent_from = sessions_back(fetched_at.date(), RECENT_SESSIONS)
    doubt_from = sessions_back(fetched_at.date(), DOUBT_SESSIONS)
    for (_, rule), rows in quarantined.groupby(["symbol", "rule"], sort=False):
        if rule == TOLD_ONCE:
            yield _summary(rows, [_single(row, doubt_from) for row in rows.to_dict("records")])
            continue
        old = rows["observed_on"] < recent_from
        for part, singly in ((rows[old], OLD_TOLD_SINGLY), (rows[~old], RECENT_TOLD_SINGLY)):
            told = [_single(row, doubt_from) for row in part.to_dict("records")]
            yield from told if len(told) <= singly else [_summary(part, told)]


def _single(row: Mapping[Hashable, object], doubt_from: pd.Timestamp) -> Finding:
    day = row["observed_on"]
    dated = isinstance(day, pd.Timestamp) and not pd.isna(day)
    severity = Severity(str(row["severity"]))
    if dated and day < doubt_from and severity is Severity.ERROR:
        severity = Severity.WARNING
    message = str(row["message"])
    value = message.rpartition("; seen ")[2].rstrip(".")
    return Finding(severity, str(row["rule"]), str(row["symbol"]), message, day.date() if dated else None, value)


def _summary(rows: pd.DataFrame, told: Sequence[Finding]) -> Finding:
    first, last, newest = rows["observed_on"].min(), rows["observed_on"].max(), told[-1]
    severity = max((finding.severity for finding in told), key=list(Severity).index)
    message = (
        f"{newest.subject}: {len(told)} rows from {first:%Y-%m-%d} to {last:%Y-%m-%d} are in quarantine under "
        f"{newest.rule}; the last: {newest.message}"
    )
    return Finding(severity, newest.rule, newest.subject, message, newest.session, str(len(told)))
