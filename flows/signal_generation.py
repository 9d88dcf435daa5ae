"""`signal-generation`: decide one session, plan its orders, write the page, show all of it, and check it is there."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # Prefect reads the parameters' types at run time
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows.names import SIGNAL_GENERATION

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@flow(name=SIGNAL_GENERATION)
def signal_generation(
    as_of: datetime | None = None,
    noticed: list[dict[str, Any]] | None = None,
    then: list[dict[str, Any]] | None = None,
    late_s: float = 0.0,
) -> State[Any]:
    """Decide one session from what the store has.

    `as_of`: the instant decided as at instead of now. `noticed`: findings of the update to show with the answer.
    `then`: later sessions that this run starts when it has ended, however it ended; the log takes them in order.
    `late_s`: how long after `as_of` this run was asked for.
    """
    from flows.deciding import decide_session  # noqa: PLC0415  # pandas, calendars: not for registering

    return decide_session(as_of, noticed or [], then or [], late_s)
