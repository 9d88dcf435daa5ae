"""From price frames to the jump walk and back: believed rows, quarantine records, findings about rows that waited."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.findings import Finding, Severity
from portfolio.sources.batch import INSTANT, SPLIT
from portfolio.sources.checks_jumps import JUMP, WINDOW, Quote, Verdict, judge_jumps
from portfolio.sources.checks_market import LineMarket, driver_closes
from portfolio.sources.checks_restated import stored_rows
from portfolio.sources.quarantine import RECENT_SESSIONS, quarantine_rows, sessions_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from portfolio.sources.checks_market import DriverCloses
    from portfolio.sources.quarantine import Rule
    from portfolio.sources.row_checks import RowContext


@dataclass(frozen=True, slots=True)
class Parted:
    """Believed rows and records of doubtful ones; of rows that `waited`, believed now, the record and the finding.

    Until its believed row is known a row that waited is as doubtful as one that no close will ever stand by: whoever
    asks about that time must see the same record, or could tell what came later.
    """

    believed: pd.DataFrame
    doubtful: pd.DataFrame
    waited: pd.DataFrame
    findings: tuple[Finding, ...]


def part_jumps(prices: pd.DataFrame, known_prices: pd.DataFrame, actions: pd.DataFrame, context: RowContext) -> Parted:
    """Part rows that jump from the believed closes from the others; rows that waited get their later instant.

    `prices` has a RangeIndex and passed the row rules.
    """
    of_driver = prices["symbol"].isin([item.symbol for item in context.universe.drivers])
    stored = stored_rows(prices, known_prices)
    batch = _Batch(prices, known_prices, actions[actions["kind"] == SPLIT], stored["close"] == prices["close"])
    judged = _Judged.of(prices, stored)
    judged.take(_verdicts(batch, prices[of_driver], context, []))
    drivers = driver_closes(judged.believed(prices[of_driver]), known_prices, context)
    judged.take(_verdicts(batch, prices[~of_driver], context, drivers))
    return Parted(
        judged.believed(prices).reset_index(drop=True),
        judged.records(prices[judged.doubtful]),
        judged.records(prices[judged.waited]),
        tuple(_waited(judged.believed(prices[judged.waited]), context)),
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What every symbol's walk reads: `settled` tells rows whose close is believed already."""

    prices: pd.DataFrame
    known_prices: pd.DataFrame
    splits: pd.DataFrame
    settled: pd.Series


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the walks said of each row, by its place in the batch; a row they need not look at is settled.

    `rules` are of rows that are doubtful or were, until something stood by them: those `waited`.
    """

    instants: NDArray[np.int64]
    doubtful: NDArray[np.bool_]
    waited: NDArray[np.bool_]
    rules: dict[int, Rule]

    @classmethod
    def of(cls, prices: pd.DataFrame, stored: pd.DataFrame) -> _Judged:
        instants = np.array(_instants(prices), dtype=np.int64)
        there = stored["close"].notna().to_numpy()
        if there.any():  # a merge without a match forgets the dtype
            instants[there] = _instants(stored[there])
        return cls(instants, np.zeros(len(prices), dtype=bool), np.zeros(len(prices), dtype=bool), {})

    def take(self, verdicts: Mapping[int, Verdict]) -> None:
        for row, verdict in verdicts.items():
            self.instants[row] = verdict.available_at
            self.doubtful[row] = verdict.rule is not None
            self.waited[row] = verdict.doubted is not None
            if rule := verdict.rule or verdict.doubted:
                self.rules[row] = rule

    def believed(self, rows: pd.DataFrame) -> pd.DataFrame:
        kept = rows[~self.doubtful[rows.index.to_numpy()]]
        instants = pd.to_datetime(self.instants[kept.index.to_numpy()], unit="us", utc=True)
        return kept.assign(available_at=instants).astype({"available_at": INSTANT})

    def records(self, rows: pd.DataFrame) -> pd.DataFrame:
        return quarantine_rows("price", rows, [self.rules[int(row)] for row in rows.index])


def _verdicts(
    batch: _Batch, rows: pd.DataFrame, context: RowContext, drivers: Sequence[DriverCloses]
) -> dict[int, Verdict]:
    verdicts: dict[int, Verdict] = {}
    for symbol, own in rows.groupby("symbol", sort=False):
        unsettled = own[~batch.settled[own.index]]
        if not unsettled.empty:
            rest = own[own["observed_on"] >= unsettled["observed_on"].min()]
            verdicts |= _symbol_verdicts(str(symbol), rest, batch, context, drivers)
    return verdicts


def _symbol_verdicts(
    symbol: str, rows: pd.DataFrame, batch: _Batch, context: RowContext, drivers: Sequence[DriverCloses]
) -> dict[int, Verdict]:
    """Walk over a symbol's rows from the first that isn't settled; what is before it is believed as it is stored."""
    sessions = context.sessions[context.universe.exchanges[symbol]]
    stored = batch.known_prices[batch.known_prices["symbol"] == symbol].sort_values("observed_on")
    before = int((stored["observed_on"] < rows["observed_on"].min()).sum())
    context_rows = stored.iloc[max(before - WINDOW - 1, 0) :]
    splits = batch.splits[batch.splits["symbol"] == symbol]
    factors = dict(zip(_places(splits, sessions), (log(value) for value in splits["value"]), strict=True))
    leverage = context.leverage(symbol)
    return judge_jumps(
        [Quote(*values) for values in zip(*_columns(rows, sessions), [int(row) for row in rows.index], strict=True)],
        [Quote(*values) for values in zip(*_columns(context_rows, sessions), strict=True)],
        leverage,
        factors,
        LineMarket(drivers, sessions, leverage) if drivers else None,
    )


def _columns(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> tuple[list[int], list[float], list[int]]:
    return _places(rows, sessions), rows["close"].tolist(), _instants(rows)


def _instants(rows: pd.DataFrame) -> list[int]:
    """Microseconds since 1970."""
    return rows["available_at"].astype(INSTANT).astype("int64").tolist()


def _places(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> list[int]:
    return sessions.searchsorted(rows["observed_on"].to_numpy()).tolist()


def _waited(rows: pd.DataFrame, context: RowContext) -> Iterable[Finding]:
    """Tell the rows that waited; one that is long past is a note."""
    recent_from = sessions_back(context.fetched_at.date(), RECENT_SESSIONS)
    for row in rows.to_dict("records"):
        day, value = row["observed_on"], f"close {row['close']:.10g}"
        message = (
            f"{row['symbol']} {day:%Y-%m-%d}: the close jumped, and the next session's close or the drivers "
            f"stand by it; believed from {row['available_at']:%Y-%m-%d %H:%M} UTC on. Nothing to do."
        )
        severity = Severity.INFO if day < recent_from else Severity.WARNING
        yield Finding(severity, JUMP.name, row["symbol"], message, day.date(), value)
