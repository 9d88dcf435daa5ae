"""A jump on the newest day: its morning's answer is the same whatever the next days say of it, and however told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.day.stages import writing
from portfolio.day.update import store_batch
from portfolio.sources.sample import fetch_sample
from portfolio.store.prices import Known, newest_batch, read_quarantined
from portfolio.universe import read_universe
from tests.integration.test_day_causality import decided_through_the_store
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from portfolio.sources.batch import Batch

UNIVERSE = read_universe()
QUOTES = ["open", "high", "low", "close"]
DAY = pd.Timestamp("2016-06-15")
NEXT_MORNING = paris("2016-06-16 07:30")
LATER = paris("2016-07-15 07:30")


def sample_with_jump(fetched_at: datetime, symbol: str, factor: float, *, stays: bool) -> Batch:
    """Multiply the symbol's prices of DAY, and of the days after it when the jump stays."""
    batch = fetch_sample(UNIVERSE, fetched_at, (DAY - pd.Timedelta(days=700)).date())
    days = batch.prices["observed_on"]
    jumped = (batch.prices["symbol"] == symbol) & ((days >= DAY) if stays else (days == DAY))
    factors = jumped.map({True: factor, False: 1.0})
    return replace(batch, prices=batch.prices.assign(**{name: batch.prices[name] * factors for name in QUOTES}))


def histories(symbol: str, factor: float) -> dict[str, tuple[Batch, ...]]:
    """Draw what may have come by LATER: all at once or the jump's day first, the jump confirmed or contradicted."""
    first = sample_with_jump(NEXT_MORNING, symbol, factor, stays=False)
    stays = sample_with_jump(LATER, symbol, factor, stays=True)
    goes = sample_with_jump(LATER, symbol, factor, stays=False)
    return {"first": (first,), "stays": (stays,), "goes": (goes,), "stayed": (first, stays), "went": (first, goes)}


@pytest.mark.parametrize("factor", [1.3, 100.0])
@pytest.mark.parametrize("symbol", ["^GSPC", "WPEA.PA"])
def test_answer_is_the_same_whether_the_next_days_stand_by_a_jump_or_not(tmp_path: Path, symbol: str, factor: float):
    answers = {
        name: decided_through_the_store(tmp_path / name, NEXT_MORNING, *batches)
        for name, batches in histories(symbol, factor).items()
    }
    assert '"decision":"HOLD"' in answers["first"][0]
    assert f"{symbol} 2016-06-15: " in answers["first"][0]
    for name, answer in answers.items():
        assert answer == answers["first"], name


@pytest.mark.parametrize("factor", [1.3, 100.0])
def test_quarantine_is_the_same_whether_a_jump_came_with_the_next_days_or_before_them(tmp_path: Path, factor: float):
    kept = {name: quarantined_after(tmp_path / name, batches) for name, batches in histories("WPEA.PA", factor).items()}
    pd.testing.assert_frame_equal(kept["stays"], kept["stayed"])
    pd.testing.assert_frame_equal(kept["goes"], kept["went"])
    assert kept["first"]["observed_on"].tolist() == [DAY]


def quarantined_after(folder: Path, batches: tuple[Batch, ...]) -> pd.DataFrame:
    """Store the batches in turn, and the last one again, which adds nothing; return the quarantine but for batches."""
    run = run_at(settings_in(folder), LATER)
    with writing(run) as (store, _):
        for batch in batches:
            store_batch(store, run, batch)
        receipt = store_batch(store, run, batches[-1]).receipt
        assert (receipt.rows_new, receipt.rows_quarantined) == (0, 0)
        return read_quarantined(store, Known(LATER, newest_batch(store))).drop(columns=["batch_id", "fetched_at"])
