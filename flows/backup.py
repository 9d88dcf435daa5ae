"""`backup`: a verified copy of the store and its models, every night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow

from flows.names import BACKUP

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@flow(name=BACKUP)
def backup() -> State[Any]:
    """Copy the store and its models, verify the copy, and let old ones go."""
    from flows.backing_up import back_up  # noqa: PLC0415  # pandas, calendars: not for registering

    return back_up()
