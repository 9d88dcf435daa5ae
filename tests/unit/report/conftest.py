"""One realistic day for the page: figures in the sample's proportions, series from a fixed seed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pytest

from portfolio.findings import Finding, Severity
from portfolio.report.data import (
    AccountPart,
    DecisionPart,
    FreshnessRow,
    GateRow,
    LimitRow,
    LoggedDecision,
    ModelPart,
    OrderRow,
    OrdersPart,
    PositionRow,
    RegimePart,
    ReportData,
    RunPart,
    StateRow,
)
from portfolio.universe import read_universe

if TYPE_CHECKING:
    from collections.abc import Callable

UNIVERSE = read_universe()
SESSION, AS_OF = date(2019, 1, 2), date(2018, 12, 31)
PRICES = {"WPEA.PA": 61.42, "PE500.PA": 24.118, "PUST.PA": 30.907, "LQQ.PA": 412.35, "CL2.PA": 9.8612}
QUANTITIES = {"WPEA.PA": 93, "PE500.PA": 160, "PUST.PA": 68, "LQQ.PA": 5, "CL2.PA": 198}
CASH_EUR = 3_204.18
SIDES: tuple[tuple[str, Literal["sell", "buy"], int], ...] = (
    ("WPEA.PA", "buy", 3),  # sells come first on the page whatever the plan's order
    ("PE500.PA", "sell", 60),
    ("PUST.PA", "sell", 65),
    ("LQQ.PA", "sell", 5),
    ("CL2.PA", "sell", 175),
)


def regime_part(sessions: int = 5000, labels: tuple[str, ...] = ("calm", "stressed")) -> RegimePart:
    days = pd.bdate_range(end=AS_OF, periods=sessions, name="observed_on")
    random = np.random.default_rng(20181231)
    vol = 0.16 + 0.09 * np.sin(np.arange(sessions) / 190) + 0.02 * random.standard_normal(sessions).cumsum() / 20
    vol = np.clip(vol, 0.06, 0.6)
    returns = 0.0003 + vol / 16 * random.standard_normal(sessions)
    driver = pd.Series((1000 * np.exp(np.cumsum(returns))).tolist(), index=days)
    stressed = 1 / (1 + np.exp(-(vol - 0.19) * 90))
    rest = [(1 - stressed) / (len(labels) - 1)] * (len(labels) - 1)
    history = pd.DataFrame(dict(zip(labels, [*rest, stressed], strict=True)), index=days)
    newest = {label: float(history[label].iloc[-1]) for label in labels}
    return RegimePart(newest, history, driver, "S&P 500 and Nasdaq Composite", pd.Series(vol.tolist(), index=days))


def account_part() -> AccountPart:
    values = {ticker: QUANTITIES[ticker] * price for ticker, price in PRICES.items()}
    total = sum(values.values()) + CASH_EUR
    weights = {ticker: value / total for ticker, value in values.items()} | {"CASH": CASH_EUR / total}
    rows = tuple(
        PositionRow(
            ticker,
            UNIVERSE.instrument(ticker).name,
            QUANTITIES[ticker],
            PRICES[ticker],
            values[ticker],
            weights[ticker],
            cost_eur=values[ticker] * 1.04,
            gain_eur=-values[ticker] * 0.04,
        )
        for ticker in PRICES
    )
    return AccountPart(rows, CASH_EUR, total, weights)


def orders_part(account: AccountPart) -> OrdersPart:
    orders = []
    for ticker, side, quantity in SIDES:
        instrument = UNIVERSE.instrument(ticker)
        amount = math.ceil(quantity * PRICES[ticker] * 100 - 1e-6) / 100  # as the plan rounds a buy
        if side == "sell":
            amount = math.floor(quantity * PRICES[ticker] * 100 + 1e-6) / 100
        fee = round(amount * 0.005, 2)
        reason = "the stressed table holds none of it" if side == "sell" else "3.1 points below its target"
        row = (ticker, instrument.name, instrument.isin, side, quantity, PRICES[ticker], amount, fee, reason)
        orders.append(OrderRow(*row))
    cash_after = CASH_EUR + sum(order.cash_effect_eur for order in orders)
    left = QUANTITIES | {
        order.ticker: QUANTITIES[order.ticker] + order.quantity * (1 if order.side == "buy" else -1) for order in orders
    }
    values = {ticker: left[ticker] * PRICES[ticker] for ticker in PRICES} | {"CASH": cash_after}
    total = sum(values.values())
    assert total < account.total_eur  # fees are paid
    return OrdersPart(tuple(orders), CASH_EUR, cash_after, {ticker: value / total for ticker, value in values.items()})


def freshness_rows() -> tuple[FreshnessRow, ...]:
    made = "2x the daily return of the index, less financing at the 3-month Treasury yield and a fee of 0.6 % a year"
    plain = {"PUST.PA": "Nasdaq Composite daily returns"}
    rows = [FreshnessRow("^GSPC", "S&P 500", AS_OF, AS_OF, 0, "observed")]
    rows += [FreshnessRow("^NDX", "Nasdaq-100", AS_OF, AS_OF, 0, "stand-in", "NASDAQ Composite, real closes")]
    rows += [
        FreshnessRow(
            item.ticker,
            item.name,
            AS_OF,
            AS_OF,
            0,
            "reconstructed",
            made if item.leveraged else plain.get(item.ticker, "S&P 500 daily returns"),
        )
        for item in UNIVERSE.instruments
        if item.ticker != "PAEEM.PA"
    ]
    return (*rows, FreshnessRow("VIXCLS", "CBOE volatility index, close", date(2018, 12, 28), AS_OF, 1, "observed"))


def logged_decisions() -> tuple[LoggedDecision, ...]:
    calm = {"WPEA.PA": 0.28, "PE500.PA": 0.2, "PUST.PA": 0.12, "LQQ.PA": 0.11, "CL2.PA": 0.11, "CASH": 0.18}
    stressed = {"WPEA.PA": 0.2834, "PE500.PA": 0.1255, "LQQ.PA": 0.0075, "CL2.PA": 0.0076, "CASH": 0.576}
    return (
        LoggedDecision(date(2018, 12, 31), "TARGET", stressed, changed=True, stressed=0.931),
        LoggedDecision(date(2018, 12, 28), "HOLD", calm, changed=False, stressed=None),
        LoggedDecision(date(2018, 12, 27), "TARGET", calm, changed=False, stressed=0.112),
    )


def build_report_data() -> ReportData:
    account = account_part()
    orders = orders_part(account)
    target = {"WPEA.PA": 0.31, "PE500.PA": 0.1255, "PUST.PA": 0.0083, "LQQ.PA": 0.0076, "CL2.PA": 0.0076, "CASH": 0.541}
    reasons = (
        "The market is read as stressed with probability 93.1 %, calm with 6.9 %.",
        "Weights are the probability-weighted mix of the calm and stressed tables.",
        "PAEEM.PA has no stand-in in the sample, so its share goes to cash.",
    )
    changes = ("Probability of stressed rose from 11.2 % to 93.1 %.", "Cash target up 36.10 points.")
    after = orders.weights_after or {}
    return ReportData(
        decision=DecisionPart(
            SESSION,
            AS_OF,
            datetime(2019, 1, 2, 6, 30, tzinfo=UTC),
            "TARGET",
            target,
            reasons,
            changes,
            logged_decisions()[1].weights,
        ),
        run=RunPart("20190102T063000Z-4f1c", "0.1.0", "sample"),
        instruments=UNIVERSE.instruments,
        orders=orders,
        account=account,
        limits=(
            LimitRow(
                "Largest position",
                "at most",
                0.4,
                0.31,
                account.weights["WPEA.PA"],
                after["WPEA.PA"],
                applies_to=UNIVERSE.tickers,
            ),
            LimitRow("Leveraged ETFs together", "at most", 0.3, 0.0152, 0.2125, after["LQQ.PA"] + after["CL2.PA"]),
            LimitRow("Cash", "at least", 0.1, 0.541, account.weights["CASH"], after["CASH"], applies_to=("CASH",)),
        ),
        regime=regime_part(),
        log=logged_decisions(),
        freshness=freshness_rows(),
        findings=(
            Finding(Severity.INFO, "sample-clock", "", "The clock stands at the sample's last session."),
            Finding(
                Severity.WARNING,
                "no-stand-in",
                "PAEEM.PA",
                "No series stands for this line: its share goes to CASH.",
                AS_OF,
                "0 rows",
            ),
        ),
        model=ModelPart(
            "hmm2-9c41d7e2ab30",
            date(1999, 2, 3),
            date(2018, 12, 28),
            ("return_log_1d", "log vol_21d"),
            (
                StateRow("calm", 0.143, 0.121, 0.9921, 126.6, 0.638),
                StateRow("stressed", -0.061, 0.287, 0.9862, 72.5, 0.362),
            ),
            (
                GateRow("occupancy of each state", "36.2 %", "at least 5 %, stressed at most 60 %", passed=True),
                GateRow("expected duration", "72.5 sessions", "at least 10 sessions", passed=True),
                GateRow("starts at the best optimum", "9 of 10", "at least 2 within 1 nat", passed=True),
            ),
            "fitted for this decision",
        ),
    )


@pytest.fixture(scope="session")
def report_data() -> ReportData:
    return build_report_data()


@pytest.fixture
def empty_data(report_data: ReportData) -> ReportData:
    """A day with nothing but its date and a HOLD."""
    hold = replace(
        report_data.decision,
        decision="HOLD",
        weights={"CASH": 1.0},
        reasons=("Closes of ^GSPC are 3 sessions behind.",),
        changes=(),
        target_before=None,
    )
    account = AccountPart((), 10_000.0, 10_000.0, {"CASH": 1.0}, ledger_empty=True)
    return ReportData(hold, report_data.run, UNIVERSE.instruments, account=account)


VOID = {"meta", "link", "br", "hr", "img", "input"}


class ReadPage(HTMLParser):
    """The page as a strict reader sees it: elements in order, tables by caption as lists of cell texts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.misnested: list[str] = []
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(html)
        self.close()

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"th", "td"}:
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misnested.append(tag)
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        text = data.replace("\u00a0", " ")
        if "caption" in self.open:
            self._caption += text
        elif "th" in self.open or "td" in self.open:
            self._rows[-1][-1] = f"{self._rows[-1][-1]} {text.strip()}".strip()


@pytest.fixture(scope="session")
def read_page() -> type[ReadPage]:
    return ReadPage


@pytest.fixture(scope="session")
def make_regime() -> Callable[..., RegimePart]:
    return regime_part
