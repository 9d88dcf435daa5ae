"""`data-update`: fetch, check, store; then start the decision of each session that is due."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # Prefect reads the parameters' types at run time
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows.names import DATA_UPDATE

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@flow(name=DATA_UPDATE)
def data_update(as_of: datetime | None = None, only_if_undecided: bool = False) -> State[Any]:  # noqa: FBT001, FBT002  # Prefect's form has switches
    """Bring prices and macro values up to date, and start the decisions that are due.

    `as_of`: decide as at this instant instead of now. `only_if_undecided`: do nothing when the session that opens
    today has its target already: the second try of a morning.
    """
    from flows.updating import bring_up_to_date  # noqa: PLC0415  # pandas, calendars: not for registering

    return bring_up_to_date(as_of, only_if_undecided=only_if_undecided)
