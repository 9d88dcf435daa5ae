"""From price frames to the jump walk and back: believed rows, quarantine records, findings about rows that waited."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import INSTANT, SPLIT
from portfolio.sources.checks_jumps import JUMP, WINDOW, Quote, Verdict, judge_jumps
from portfolio.sources.quarantine import quarantine_rows

if TYPE_CHECKING:
    from portfolio.sources.row_checks import RowContext


def part_jumps(
    prices: pd.DataFrame, known_prices: pd.DataFrame, actions: pd.DataFrame, context: RowContext
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Part rows that jump from the believed closes into quarantine records; rows that waited get their later instant.

    `prices` has a RangeIndex and passed the row rules. Returns believed rows, records, findings about rows that waited.
    """
    verdicts: dict[int, Verdict] = {}
    for symbol, rows in prices.groupby("symbol", sort=False):
        stored = known_prices[known_prices["symbol"] == symbol]
        splits = actions[(actions["symbol"] == symbol) & (actions["kind"] == SPLIT)]
        verdicts |= _symbol_verdicts(str(symbol), rows, stored, splits, context)
    ordered = [verdicts[row] for row in range(len(prices))]
    doubtful = np.array([verdict.rule is not None for verdict in ordered], dtype=bool)
    waited = np.array([verdict.doubted for verdict in ordered], dtype=bool) & ~doubtful
    instants = pd.to_datetime([verdict.available_at for verdict in ordered], unit="us", utc=True)
    judged = prices.assign(available_at=instants).astype({"available_at": INSTANT})
    rules = [verdict.rule for verdict in ordered if verdict.rule is not None]
    records = quarantine_rows("price", prices[doubtful], rules)
    return (
        judged[~doubtful].reset_index(drop=True),
        records,
        [_waited(row) for row in judged[waited].to_dict("records")],
    )


def _symbol_verdicts(
    symbol: str, rows: pd.DataFrame, stored: pd.DataFrame, splits: pd.DataFrame, context: RowContext
) -> dict[int, Verdict]:
    sessions = context.sessions[context.universe.exchanges[symbol]]
    stored = stored.sort_values("observed_on")
    before = int((stored["observed_on"] < rows["observed_on"].min()).sum())
    context_rows = stored.iloc[max(before - WINDOW - 1, 0) :]
    factors = dict(zip(_places(splits, sessions), (log(value) for value in splits["value"]), strict=True))
    return judge_jumps(
        [Quote(*values) for values in zip(*_columns(rows, sessions), [int(row) for row in rows.index], strict=True)],
        [Quote(*values) for values in zip(*_columns(context_rows, sessions), strict=True)],
        context.leverage(symbol),
        factors,
    )


def _columns(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> tuple[list[int], list[float], list[int]]:
    instants = rows["available_at"].astype(INSTANT).astype("int64")  # microseconds
    return _places(rows, sessions), rows["close"].tolist(), instants.tolist()


def _places(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> list[int]:
    return sessions.searchsorted(rows["observed_on"].to_numpy()).tolist()


def _waited(row: dict) -> Finding:
    message = (
        f"{row['symbol']} {row['observed_on']:%Y-%m-%d}: the close jumped and the next session's close stands by it; "
        f"believed from {row['available_at']:%Y-%m-%d %H:%M} UTC on. Nothing to do."
    )
    day, value = row["observed_on"].date(), f"close {row['close']:.10g}"
    return Finding(Severity.WARNING, JUMP.name, row["symbol"], message, day, value)
