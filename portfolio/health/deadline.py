"""A call that may never come back, waited for so long and no longer."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = TypeVar("Answer")


def within(timeout_s: float, call: Callable[[], Answer]) -> Answer:
    """Return what the call returns, raise what it raises, or raise TimeoutError when neither comes in time.

    A client's own time-outs each cover one step (looking up a name: none at all), so that an answer that trickles in
    outlasts them. A call given up on goes on in a thread of its own, which keeps no process from ending.
    """
    answer: Future[Answer] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            answer.set_exception(error)

    Thread(target=work, name="within", daemon=True).start()
    return answer.result(timeout_s)
