"""The published copy: what readers open, replaced as a whole after a write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.store.connection import published_path
from portfolio.store.copy import copy_store
from portfolio.store.engine import sync, wal_path

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.store.connection import Store


def publish(store: Store) -> Path:
    """Copy the writer's store into a new file and put it under the published name in one step.

    Readers that hold the older copy keep it until they close it.
    """
    published = published_path(store.path)
    building = published.with_name(f"{published.name}.building")
    copy_store(store, building)
    put_published(building, published)
    return published


def put_published(building: Path, published: Path) -> None:
    """Give a whole copy the published name."""
    wal_path(published).unlink(missing_ok=True)  # of someone who wrote into the copy: it would not fit the new one
    building.replace(published)
    sync(published.parent)
