"""How patiently a service is asked: rounds over all that is wanted, each fault that may pass asked again in the next.

Rounds and not one name after the other, so that a name which hangs or fails never uses up the time of the others:
in the first round each is asked once, and waiting serves all that failed together.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from portfolio.sources.live_faults import OutOfTimeError, PassingError, RateLimitError, RefusedError
from portfolio.sources.live_wire import LONGEST_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tenacity import RetryCallState

    from portfolio.sources.live_wire import Patience

T = TypeVar("T")
Fault = PassingError | RefusedError

LIMITED_IN_A_ROUND = 2  # refusals in a row after which the others of a round needn't be tried
LIMITED_FOR_GOOD = 3  # refusals in a row, a wait between, after which the service is left alone


@dataclass(slots=True)
class Asked(Generic[T]):
    """What became of each name: an answer, or the fault that was left."""

    answers: dict[str, T] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)


def ask_all(names: Sequence[str], ask: Callable[[str], T], patience: Patience) -> Asked[T]:
    """Ask for each name, again where the fault may pass, until all answered or patience ends.

    `ask` raises PassingError or RefusedError. Never raises them itself: what is left stands in `faults`.
    """
    asking = _Asking(ask, list(names))
    rounds = Retrying(
        stop=stop_after_attempt(patience.attempts) | stop_before_delay(patience.budget_s),
        wait=_Wait(patience),
        retry=retry_if_exception_type(PassingError),
        reraise=True,
    )
    with suppress(PassingError):
        rounds(asking.round)
    for name in asking.pending:
        asking.asked.faults.setdefault(name, asking.not_asked(name))
    return asking.asked


@dataclass(slots=True)
class _Asking(Generic[T]):
    """The state between rounds: who is still to be asked, and how the service has been answering."""

    ask: Callable[[str], T]
    pending: list[str]
    asked: Asked[T] = field(default_factory=Asked)
    limited: int = 0  # refusals for asking too often, in a row
    last: Fault | None = None

    def round(self) -> None:
        """Ask every pending name once; raises the last passing fault when there is one and asking again may help."""
        passing = None
        for name in tuple(self.pending):
            fault = self._fault_of(name)
            passing = fault if isinstance(fault, PassingError) else passing
            if self._left_alone() or self.limited >= LIMITED_IN_A_ROUND:
                break
        if passing and not self._left_alone():
            raise passing

    def not_asked(self, name: str) -> Fault:
        """Say why a name was never asked for."""
        message = f"{name}: not asked, after {self.last}"
        if isinstance(self.last, RateLimitError):
            return RateLimitError(message)
        if isinstance(self.last, RefusedError):
            return RefusedError(message, rule=self.last.rule)
        return PassingError(message)

    def _fault_of(self, name: str) -> Fault | None:
        try:
            self.asked.answers[name] = self.ask(name)
        except (PassingError, RefusedError) as fault:
            self.last = self.asked.faults[name] = fault
            self.limited = self.limited + 1 if isinstance(fault, RateLimitError) else 0
            if isinstance(fault, RefusedError):
                self.pending.remove(name)
            return fault
        self.limited = 0
        self.asked.faults.pop(name, None)
        self.pending.remove(name)
        return None

    def _left_alone(self) -> bool:
        refused = isinstance(self.last, RefusedError) and self.last.whole_service
        return refused or isinstance(self.last, OutOfTimeError) or self.limited >= LIMITED_FOR_GOOD


@dataclass(frozen=True, slots=True)
class _Wait:
    """Exponential, with jitter, and as long as a service that limits us asks for."""

    patience: Patience

    def __call__(self, state: RetryCallState) -> float:
        backoff = self.patience.backoff_s
        usual = (wait_exponential(multiplier=backoff, max=LONGEST_WAIT_S) + wait_random(0, backoff))(state)
        fault = state.outcome.exception() if state.outcome else None
        return max(usual, fault.wait_s) if isinstance(fault, RateLimitError) else usual
