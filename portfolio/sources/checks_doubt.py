"""Doubt: rows in quarantine that leave a recent day without a believed price, or contradict the one it has."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.row_checks import SATURDAY

if TYPE_CHECKING:
    from collections.abc import Iterable

# Rules under which a provider says another thing than it said before. A row without a close, of a day not yet over or
# of a closed day says nothing about the close that is believed.
CONTRADICTING = frozenset(
    {
        "close-outside-range",
        "currency-mismatch",
        "duplicate-row",
        "high-below-low",
        "jump",
        "non-positive-price",
        "restated",
        "restated-history",
        "shifted-dates",
        "unexplained-split",
        "unit-flip",
    }
)
CLOSED_DAY = "not-a-session"


def doubtful_prices(symbol: str, rows: pd.DataFrame, doubted: pd.DataFrame, sessions: list[date]) -> Iterable[Finding]:
    """Find a series' doubtful days.

    `rows` are its believed rows, `doubted` its quarantined ones, `sessions` the last ones, on which a doubt blocks.
    With `batch_id` in both a quarantined row contradicts a believed one of an earlier batch: the doubt ends with a
    believed row of a later batch, or when the day is no longer among the last sessions.
    """
    recent = doubted[doubted["observed_on"].isin(pd.DatetimeIndex(sessions)) & (doubted["rule"] != CLOSED_DAY)]
    absent = recent[~recent["observed_on"].isin(rows["observed_on"])]
    for row in absent.drop_duplicates("observed_on", keep="last").to_dict("records"):
        yield _doubt(symbol, row, f"{row['message']} No other row of that day is believed.")
    if "batch_id" in rows and "batch_id" in doubted:
        yield from _contradicted(symbol, rows, recent)
        yield from _before_saturday(symbol, rows, doubted, sessions)
    lost = (
        ~doubted["observed_on"].isin(rows["observed_on"])
        & (doubted["rule"] != CLOSED_DAY)
        & (doubted["observed_on"] < pd.Timestamp(sessions[0]))
    )
    if older := doubted[lost]["observed_on"].nunique():
        message = f"{symbol}: {older} older days are in quarantine with no believed row; the series went on."
        yield Finding(Severity.INFO, "doubtful-price", symbol, message, value=str(older))


def _contradicted(symbol: str, rows: pd.DataFrame, recent: pd.DataFrame) -> Iterable[Finding]:
    believed = recent["observed_on"].map(rows.set_index("observed_on")["batch_id"])
    grave = recent["rule"].isin(CONTRADICTING) & (recent["severity"] == str(Severity.ERROR))  # the same row twice isn't
    against = recent[grave & (recent["batch_id"] > believed)]
    for row in against.drop_duplicates("observed_on", keep="last").to_dict("records"):
        yield _doubt(
            symbol,
            row,
            f"{row['message']} It contradicts the row believed of that day: run `portfolio update` again, the day "
            "delivered well once more ends the doubt.",
        )


def _before_saturday(symbol: str, rows: pd.DataFrame, doubted: pd.DataFrame, sessions: list[date]) -> Iterable[Finding]:
    """Doubt the days of a week that has a Saturday row: they are probably all labelled a day late.

    It is said of a moment, not of the rows: on their own mornings nobody could know of the Saturday.
    """
    on_saturday = (doubted["rule"] == CLOSED_DAY) & (doubted["observed_on"].dt.day_of_week == SATURDAY)
    for row in doubted[on_saturday].drop_duplicates("observed_on", keep="last").to_dict("records"):
        saturday = pd.Timestamp(row["observed_on"]).date()
        week = [day for day in sessions if saturday - timedelta(days=5) <= day < saturday]
        believed = rows[rows["observed_on"].isin(pd.DatetimeIndex(week)) & (rows["batch_id"] <= row["batch_id"])]
        if not believed.empty:
            doubt = {**row, "observed_on": believed["observed_on"].iloc[-1], "rule": "shifted-dates"}
            message = f"{row['message']} A row on a Saturday says that the week's days are labelled a day late."
            yield _doubt(symbol, doubt, f"{message} Compare them with another source.")


def _doubt(symbol: str, row: dict, message: str) -> Finding:
    day = pd.Timestamp(row["observed_on"]).date()
    return Finding(Severity.ERROR, "doubtful-price", symbol, message, day, str(row["rule"]))
