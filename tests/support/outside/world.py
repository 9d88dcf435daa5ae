"""Who answers what: a question goes to its service, with the market as it was known at the stub's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from tests.support.outside.charts import Chart, chart_of
from tests.support.outside.faults import Faults, faulty_answer, faulty_chart, faulty_series
from tests.support.outside.fred import answer_observations
from tests.support.outside.records import FRED, PING, TEXT, Answer
from tests.support.outside.yahoo import answer_chart, answer_gate, unknown_symbol

if TYPE_CHECKING:
    from tests.support.outside.faults import Fault
    from tests.support.outside.market import Market
    from tests.support.outside.records import Question


class World:
    """The services and their common clock; `now` None is the wall clock."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.now: datetime | None = None
        self.faults = Faults()
        self._chart = lru_cache(maxsize=64)(lambda symbol, now: chart_of(market.lines[symbol], now))

    def answer(self, question: Question) -> Answer:
        """Answer as the service would, and as the faults injected leave it."""
        now = self.now or datetime.now(UTC)
        faults = self.faults.striking(question, now)
        return faulty_answer(self._answer(question, now, faults), question, faults)

    def _answer(self, question: Question, now: datetime, faults: tuple[Fault, ...]) -> Answer:
        if question.service == PING:
            return _answer_ping(question)
        if question.service == FRED:
            series = self.market.series.get(question.subject)
            known = None if series is None else faulty_series(series[series["known_at"] <= now], faults)
            return answer_observations(question, known, now)
        if question.endpoint != "chart":
            return answer_gate(question)
        if question.subject not in self.market.lines:
            return unknown_symbol()
        chart: Chart = self._chart(question.subject, now)
        return answer_chart(question, faulty_chart(chart, faults))


def _answer_ping(question: Question) -> Answer:
    try:
        UUID(question.subject)
    except ValueError:
        return Answer(404, b"not found", TEXT)
    return Answer(200, b"OK", TEXT)
