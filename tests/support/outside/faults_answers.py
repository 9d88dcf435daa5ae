"""Faults of the answer itself: refusals, silence, torn connections, bodies that are not what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.support.outside.fred import fred_error
from tests.support.outside.records import FRED, HTML, TEXT, XML, Answer
from tests.support.outside.yahoo import CONSENT_PAGE, CRUMB, refusal, unknown_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.outside.faults import Fault
    from tests.support.outside.records import Question

DATA = frozenset({"chart", "observations"})
SLOW_S = 0.2  # under the time-out of `Stub.settings`
PACE_S = 0.2  # a byte arrives before any time-out between two reads, the whole never
FOR_EVER_S = 3600.0


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """A kind of fault: what it does to an answer, and which endpoints it strikes when none is named."""

    change: Callable[[Answer, Question, Fault], Answer]
    endpoints: frozenset[str] = DATA


def _not_found(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.service == FRED:
        return fred_error(question.query, 400, "Bad Request.  The series does not exist.")
    return unknown_symbol()


def _possibly_delisted(_answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return refusal(200, "Not Found", "No data found, symbol may be delisted")


def _rate_limited(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.service == FRED:
        return fred_error(question.query, 429, "Too Many Requests.  Exceeded Rate Limit")
    return Answer(429, b"Too Many Requests\r\n", TEXT)


def _retry_after(answer: Answer, question: Question, fault: Fault) -> Answer:
    seconds = str(int(fault.factor or 1))
    return replace(_rate_limited(answer, question, fault), headers=(("Retry-After", seconds),))


def _server_error(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.service == FRED:
        return fred_error(question.query, 500, "Internal Server Error")
    return refusal(500, "Internal Server Error", "Something went wrong")


def _slow(answer: Answer, _question: Question, fault: Fault) -> Answer:
    return replace(answer, wait_s=fault.factor or SLOW_S)


def _never(answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return replace(answer, wait_s=FOR_EVER_S)


def _trickle(answer: Answer, _question: Question, fault: Fault) -> Answer:
    return replace(answer, pace_s=fault.factor or PACE_S)


def _reset(answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return replace(answer, reset=True)


def _cut_off(answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return replace(answer, sent=len(answer.body) // 2)


def _truncated(answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _html(_answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return Answer(200, b"<!DOCTYPE html><html><body><h1>Will be right back...</h1></body></html>", HTML)


def _captive(_answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return Answer(200, b"<!DOCTYPE html><html><body>Please log in to this network.<br></body></html>", HTML)


def _empty_result(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.service == FRED:
        return Answer(200, b'<?xml version="1.0" encoding="utf-8" ?>\n<observations count="0"></observations>\n', XML)
    return Answer(200, b'{"chart":{"result":[],"error":null}}')


def _null_result(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.service == FRED:
        return Answer(200, b"", XML)
    return Answer(200, b'{"chart":{"result":null,"error":null}}')


def _consent(answer: Answer, question: Question, _fault: Fault) -> Answer:
    if question.cookies.get("GUCS") == "agreed":
        return answer
    return Answer(302, CONSENT_PAGE.encode(), HTML, (("Location", "/yahoo/consent"),))


def _crumb_refused(_answer: Answer, _question: Question, _fault: Fault) -> Answer:
    return refusal(401, "Unauthorized", "Invalid Cookie", "finance")


def _invalid_crumb(answer: Answer, question: Question, _fault: Fault) -> Answer:
    # As after a cookie has expired: the crumb that belonged to it is refused until the client has a new pair.
    agreed = question.cookies.get("GUCS") == "agreed"
    return answer if agreed and question.query.get("crumb") == CRUMB else refusal(401, "Unauthorized", "Invalid Crumb")


def _bad_key(_answer: Answer, question: Question, _fault: Fault) -> Answer:
    return fred_error(question.query, 400, "Bad Request.  The value for variable api_key is not registered.")


CHARTS, OBSERVATIONS = frozenset({"chart"}), frozenset({"observations"})
ANSWER_FAULTS: dict[str, AnswerFault] = {
    "not-found": AnswerFault(_not_found),
    "possibly-delisted": AnswerFault(_possibly_delisted, CHARTS),
    "rate-limited": AnswerFault(_rate_limited),
    "rate-limited-retry-after": AnswerFault(_retry_after),
    "server-error": AnswerFault(_server_error),
    "slow": AnswerFault(_slow),
    "never-answers": AnswerFault(_never),
    "trickle": AnswerFault(_trickle),
    "reset": AnswerFault(_reset),
    "cut-off": AnswerFault(_cut_off),
    "truncated": AnswerFault(_truncated),
    "html": AnswerFault(_html),
    "captive-portal": AnswerFault(_captive),
    "empty-result": AnswerFault(_empty_result),
    "null-result": AnswerFault(_null_result),
    "consent-page": AnswerFault(_consent, CHARTS),
    "crumb-refused": AnswerFault(_crumb_refused, frozenset({"crumb"})),
    "invalid-crumb": AnswerFault(_invalid_crumb, CHARTS),
    "bad-key": AnswerFault(_bad_key, OBSERVATIONS),
}
