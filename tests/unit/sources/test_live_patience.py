"""Rounds of questions: what is asked again, what is left alone, and what the others have of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from portfolio.sources.live_faults import OutOfTimeError, PassingError, RateLimitError, RefusedError
from portfolio.sources.live_patience import Asked, ask_all
from portfolio.sources.live_wire import Deadline, Patience

if TYPE_CHECKING:
    from collections.abc import Sequence

QUICK = Patience(timeout_s=1.0, attempts=4, backoff_s=0.0)
BROKEN, LIMITED = PassingError("broken"), RateLimitError("asked too often")
UNKNOWN, NO_KEY = RefusedError("unknown", rule="unknown-to-provider"), RefusedError("no key", whole_service=True)


class Service:
    """Answers each name in capitals after the faults drawn for it; `asked` is what it saw."""

    def __init__(self, **faults: Sequence[Exception]) -> None:
        self.faults = defaultdict(list, {name: list(drawn) for name, drawn in faults.items()})
        self.asked = ""

    def __call__(self, name: str) -> str:
        self.asked += name
        if self.faults[name]:
            raise self.faults[name].pop(0)
        return name.upper()


def told(service: Service, patience: Patience = QUICK) -> tuple[Asked[str], str]:
    return ask_all("abcd", service, patience), service.asked


def test_each_is_asked_once_when_nothing_is_wrong():
    asked, order = told(Service())
    assert asked.answers == {"a": "A", "b": "B", "c": "C", "d": "D"}
    assert (order, asked.faults) == ("abcd", {})


def test_what_failed_is_asked_again_after_the_others_when_the_fault_may_pass():
    asked, order = told(Service(a=[BROKEN, BROKEN], c=[BROKEN]))
    assert order == "abcdaca"
    assert set(asked.answers) == set("abcd")


def test_the_others_are_had_when_one_fails_for_ever():
    asked, order = told(Service(b=[BROKEN] * 9))
    assert order == "abcdbbb"
    assert (set(asked.answers), asked.faults) == (set("acd"), {"b": BROKEN})


def test_a_refusal_is_not_asked_again_and_costs_the_others_nothing():
    asked, order = told(Service(b=[UNKNOWN], a=[BROKEN]))
    assert order == "abcda"
    assert (set(asked.answers), asked.faults) == (set("acd"), {"b": UNKNOWN})


def test_nobody_is_asked_any_more_when_the_whole_service_refuses():
    asked, order = told(Service(b=[NO_KEY]))
    assert order == "ab"
    assert {name: str(fault) for name, fault in asked.faults.items()} == {
        "b": "no key",
        "c": "c: not asked, after no key",
        "d": "d: not asked, after no key",
    }
    assert {fault.rule for fault in asked.faults.values()} == {"request-refused"}


@pytest.mark.parametrize(
    ("faults", "order"),
    [
        ({"a": [LIMITED]}, "abcda"),  # once
        ({"a": [LIMITED], "b": [LIMITED]}, "ababcd"),  # for a while: the round ends, and a wait
        ({"a": [LIMITED], "b": [LIMITED], "c": [LIMITED]}, "ababcdc"),
    ],
)
def test_all_are_had_when_the_service_is_busy_for_a_while(faults: dict[str, Sequence[Exception]], order: str):
    asked, seen = told(Service(**faults))
    assert seen == order
    assert set(asked.answers) == set("abcd")


def test_a_service_is_left_alone_when_it_is_busy_after_a_wait_too():
    asked, order = told(Service(**{name: [LIMITED] * 9 for name in "abcd"}))
    assert order == "aba"
    assert {fault.rule for fault in asked.faults.values()} == {"rate-limited"}
    assert str(asked.faults["d"]) == "d: not asked, after asked too often"


def test_a_service_is_left_alone_when_it_wants_a_longer_wait_than_there_is_time():
    busy = RateLimitError("asked too often", wait_s=3600.0)
    asked, order = told(Service(a=[busy], b=[busy]))
    assert order == "ab"
    assert {fault.rule for fault in asked.faults.values()} == {"rate-limited"}


def test_nobody_is_asked_any_more_when_the_time_is_used_up():
    asked, order = told(Service(b=[OutOfTimeError("late")]))
    assert order == "ab"
    assert str(asked.faults["c"]) == "c: not asked, after late"


def test_an_error_of_another_kind_is_not_taken_for_a_fault():
    with pytest.raises(ZeroDivisionError):
        told(Service(a=[ZeroDivisionError()]))


def test_a_deadline_gives_what_is_left_and_then_nothing():
    assert 0 < Deadline(60.0).left("A") <= 60.0
    with pytest.raises(OutOfTimeError, match="A: not asked, the time for the service is used up"):
        Deadline(0.0).left("A")


def test_the_time_for_a_service_is_twice_its_tries_and_the_waits_between_them():
    assert Patience(timeout_s=20.0, attempts=4, backoff_s=2.0).budget_s == 2 * 4 * 20.0 + (2 + 4 + 8) + 3 * 2
    assert Patience(timeout_s=20.0, attempts=1, backoff_s=2.0).budget_s == 40.0
