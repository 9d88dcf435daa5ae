"""From when on a live update asks, told by the published copy of its store."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.day.morning import store_fetched
from portfolio.day.update import fetch
from portfolio.sessions import CALENDAR_START
from portfolio.store.connection import published_path
from portfolio.universe import read_universe
from tests.support.days import paris, run_at
from tests.support.live_days import live_settings, universe_with
from tests.support.outside import market_of_sample, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.settings import Settings
    from tests.support.outside import Stub

NOW = paris("2018-06-29 07:30")
TEN_SESSIONS_BACK = date(2018, 6, 15)


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    with serving(market_of_sample(tmp_path / "market", date(2018, 5, 2), date(2018, 7, 6))) as stub:
        stub.at(NOW)
        yield stub


@pytest.fixture
def settings(tmp_path: Path, stub: Stub) -> Settings:
    settings = live_settings(tmp_path, stub, PORTFOLIO_UNIVERSE_FILE=universe_with(tmp_path, *read_universe().tickers))
    run = run_at(settings, NOW, "update")
    store_fetched(run, fetch(run), ())
    stub.forget()
    return settings


def asked_from(stub: Stub) -> set[date]:
    stamps = [int(request.query["period1"]) for request in stub.requests if request.endpoint == "chart"]
    return {pd.Timestamp(stamp, unit="s", tz="UTC").tz_convert("Europe/Paris").date() for stamp in stamps}


def test_an_update_asks_for_the_overlap_when_the_store_is_up_to_date(settings, stub):
    fetch(run_at(settings, NOW, "update"))
    assert asked_from(stub) == {TEN_SESSIONS_BACK}


def test_an_update_asks_from_the_newest_believed_day_when_that_is_long_ago(settings, stub):
    later = paris("2018-07-30 07:30")
    stub.at(later)
    fetch(run_at(settings, later, "update"))
    assert asked_from(stub) == {date(2018, 6, 28)}


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_an_update_asks_for_everything_when_the_copy_cannot_be_read_and_makes_it_anew(settings, stub, caplog, damage):
    copy = published_path(settings.store_path)
    copy.write_bytes(copy.read_bytes()[:5000])
    if damage == "missing":
        copy.unlink()
    run = run_at(settings, NOW, "update")
    _, code = store_fetched(run, fetch(run), ())
    assert asked_from(stub) == {CALENDAR_START}
    assert ("published copy not readable" in caplog.text) == (damage == "cut off")
    assert code == 0
    stub.forget()
    fetch(run_at(settings, NOW, "update"))
    assert asked_from(stub) == {TEN_SESSIONS_BACK}
