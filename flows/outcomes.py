"""How a flow ended, as states a person tells apart at a glance in Prefect's UI.

HOLD and a skip are Prefect's type COMPLETED under names of their own: nothing failed, and nothing was traded on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.states import Completed, Failed

from portfolio.day.stages import OUTCOMES
from portfolio.errors import ExitCode

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

HOLD, SKIPPED = "Hold", "Skipped"


def state_of(code: ExitCode, message: str) -> State[Any]:
    """Return the state that an exit code means."""
    if code is ExitCode.DONE:
        return Completed(message=message)
    if code is ExitCode.HOLD:
        return Completed(name=HOLD, message=message)
    return Failed(name=OUTCOMES[code].capitalize(), message=message)


def skipped(message: str) -> State[Any]:
    """Return the state of a run that had nothing to do."""
    return Completed(name=SKIPPED, message=message)
