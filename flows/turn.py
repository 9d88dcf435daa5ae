"""The writer's turn: flows queue for it at Prefect's leased limit; the store's own lock stays the truth."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import httpx
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.exceptions import PrefectException

from flows.names import WRITER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

TROUBLE = (TimeoutError, ConcurrencySlotAcquisitionError, PrefectException, httpx.HTTPError)
LEASE_S = 60.0  # Prefect's shortest: a killed writer's place is free after this long at most
PATIENCE_S = 90.0  # longer than a dead one's lease
LOCK_WAIT_S = 120.0  # for the store's lock, which a command by hand may hold


@contextmanager
def writers_turn() -> Iterator[None]:
    """Wait for the writer's turn; after PATIENCE_S, or when Prefect cannot say, the store's lock alone decides."""
    # A lease that cannot be renewed must not end a flow in the middle of its writing.
    turn = concurrency(
        WRITER_LIMIT, timeout_seconds=PATIENCE_S, lease_duration=LEASE_S, raise_on_lease_renewal_failure=False
    )
    held = _entered(turn)
    try:
        yield
    finally:
        if held:
            _left(turn)


def _entered(turn: AbstractContextManager[None]) -> bool:
    try:
        turn.__enter__()
    except TROUBLE as error:
        log.warning("no writer's turn from Prefect, the store's lock decides", extra={"reason": repr(error)})
        return False
    return True


def _left(turn: AbstractContextManager[None]) -> None:
    """Give the turn back; what was written stays written when Prefect does not take it."""
    try:
        turn.__exit__(None, None, None)
    except TROUBLE as error:
        log.warning("the writer's turn could not be given back, its lease ends it", extra={"reason": repr(error)})
