"""Names that Prefect's UI, the metrics and other programs rely on."""

from __future__ import annotations

WORK_POOL = "portfolio"
WRITER_LIMIT = "portfolio-writer"  # for queueing only: the store's own lock is the truth about who writes
MANAGED = "managed-by:portfolio"  # the tag by which deployments that are gone are found


def local_queue(source: str) -> str:
    """Return the queue of a laptop's daemon: no worker takes runs of the other source's store."""
    return f"local-{source}"


DATA_UPDATE = "data-update"
SIGNAL_GENERATION = "signal-generation"
BACKUP = "backup"
SMOKE = "smoke"

DAILY, NIGHTLY = "daily", "nightly"
SIGNAL_DEPLOYMENT = f"{SIGNAL_GENERATION}/{DAILY}"
UPDATE_DEPLOYMENT = f"{DATA_UPDATE}/{DAILY}"
BACKUP_DEPLOYMENT = f"{BACKUP}/{NIGHTLY}"


def smoke_queue(slot: str) -> str:
    """Return the queue of a slot's smoke runs, which pass while the slot's own queue is paused."""
    return f"{slot}-smoke"
