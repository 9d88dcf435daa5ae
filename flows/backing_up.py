"""What `backup` does, apart from its definition, which a release registers without all this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import show_backup
from flows.job import job
from flows.names import BACKUP
from flows.turn import LOCK_WAIT_S, writers_turn
from portfolio.day.backup import BackupResult, backup_store
from portfolio.errors import ExitCode

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from portfolio.day.run import Run


def back_up() -> State[Any]:
    """Be the flow: copy, show, and tell where the copy is."""
    with job(BACKUP, "backup") as this:
        made = copy_store(this.run)
        show_backup(made)
        return this.ended(ExitCode.DONE, str(made.path))


@task(name="copy", cache_policy=NO_CACHE, persist_result=False)
def copy_store(run: Run) -> BackupResult:
    """Write the backup, as the only writer."""
    with writers_turn():
        return backup_store(run, LOCK_WAIT_S)
