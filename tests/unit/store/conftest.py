from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portfolio.store.connection import open_writer
from portfolio.store.migrate import create_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.store.connection import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a new, empty sample store."""
    place = tmp_path / "portfolio.duckdb"
    create_store(place, "sample")
    return place


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_writer(path, "sample") as opened:
        yield opened
