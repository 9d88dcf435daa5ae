"""What can go wrong outside, by name: each a function over an answer, a chart or a series, in its family's file."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.outside.faults_actions import ACTION_FAULTS
from tests.support.outside.faults_answers import ANSWER_FAULTS
from tests.support.outside.faults_prices import PRICE_FAULTS
from tests.support.outside.faults_series import SERIES_FAULTS
from tests.support.outside.records import FRED, YAHOO

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from tests.support.outside.charts import Chart
    from tests.support.outside.records import Answer, Question

CHART_FAULTS = PRICE_FAULTS | ACTION_FAULTS
NAMES = tuple(sorted((*ANSWER_FAULTS, *CHART_FAULTS, *SERIES_FAULTS)))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `on`: the symbol, series, endpoint (chart, observations, crumb, cookie ...) or service (yahoo, fred, ping) it
    strikes; empty: all that its kind may concern. `times`: how many requests; None: each one. `since`, `until`: while
    the stub's clock stands in [since, until). `rows` and `factor`: how much; None: as its kind has it.
    """

    name: str
    on: str = ""
    times: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    rows: int | None = None
    factor: float | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            message = f"No fault is called {self.name}: choose of {', '.join(NAMES)}."
            raise ValueError(message)

    def strikes(self, question: Question, now: datetime) -> bool:
        """Whether it concerns this question at this instant, its number of times aside."""
        if (self.since and now < self.since) or (self.until and now >= self.until):
            return False
        if self.on in ("", YAHOO, FRED):
            return question.endpoint in _endpoints(self.name) and self.on in ("", question.service)
        return self.on in (question.service, question.endpoint, question.subject)


def _endpoints(name: str) -> frozenset[str]:
    if name in ANSWER_FAULTS:
        return ANSWER_FAULTS[name].endpoints
    return frozenset({"chart"} if name in CHART_FAULTS else {"observations"})


class Faults:
    """The faults injected, each counted down as it strikes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int | None]] = []

    def inject(self, *faults: Fault) -> None:
        """Add faults; those that are already there stay."""
        with self._lock:
            self._left += [(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._left.clear()

    def striking(self, question: Question, now: datetime) -> tuple[Fault, ...]:
        """Faults that strike this question, each of them counted once."""
        with self._lock:
            struck = [fault.strikes(question, now) and left != 0 for fault, left in self._left]
            found = tuple(fault for (fault, _), hit in zip(self._left, struck, strict=True) if hit)
            self._left = [
                (fault, left - 1 if hit and left is not None else left)
                for (fault, left), hit in zip(self._left, struck, strict=True)
            ]
        return found


def fault_of(text: str) -> Fault:
    """Read NAME[:ON][*TIMES]: nan-tail, rate-limited:LQQ.PA*3."""
    aim, _, times = text.partition("*")
    name, _, on = aim.partition(":")
    return Fault(name, on, int(times) if times else None)


def faulty_chart(chart: Chart, faults: tuple[Fault, ...]) -> Chart:
    """The chart as these faults leave it."""
    for fault in faults:
        if fault.name in CHART_FAULTS:
            chart = CHART_FAULTS[fault.name](chart, fault)
    return chart


def faulty_series(series: pd.DataFrame, faults: tuple[Fault, ...]) -> pd.DataFrame:
    """The series as these faults leave it."""
    for fault in faults:
        if fault.name in SERIES_FAULTS:
            series = SERIES_FAULTS[fault.name](series, fault)
    return series


def faulty_answer(answer: Answer, question: Question, faults: tuple[Fault, ...]) -> Answer:
    """The answer as these faults leave it."""
    for fault in faults:
        if fault.name in ANSWER_FAULTS:
            answer = ANSWER_FAULTS[fault.name].change(answer, question, fault)
    return answer
