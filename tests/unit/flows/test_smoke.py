from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flows.smoke import smoke
from portfolio import __version__
from portfolio.errors import OutputError, StoreError
from portfolio.store.connection import open_writer
from portfolio.store.migrate import create_store
from portfolio.store.publish import publish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUCKDB_FILE", str(tmp_path / "portfolio.duckdb"))
    return tmp_path / "portfolio.duckdb"


def test_smoke_run_opens_the_published_copy(store):
    create_store(store, "sample")
    with open_writer(store, "sample") as opened:
        publish(opened)
    assert smoke.fn(__version__).message == f"release {__version__}; newest decision: none"


@pytest.mark.usefixtures("store")
def test_smoke_run_ends_well_when_nothing_is_published_yet():
    assert smoke.fn(__version__).message == f"release {__version__}; nothing is published yet"


@pytest.mark.usefixtures("store")
def test_smoke_run_fails_when_the_worker_is_of_another_release():
    with pytest.raises(OutputError, match=r"and 9\.9 was meant"):
        smoke.fn("9.9")


def test_smoke_run_fails_when_the_published_copy_is_damaged(store):
    store.with_name("portfolio.published.duckdb").write_bytes(b"no database")
    with pytest.raises(StoreError):
        smoke.fn(__version__)
