"""The hard rule: what is believed rests on what was known by then, however the rows arrived."""

from __future__ import annotations

from datetime import date
from math import exp

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.sessions import price_known_at
from portfolio.sources.batch import PRICE_DTYPES, SPLIT
from portfolio.sources.checks import check_batch
from tests.unit.sources.tables import (
    NO_ACTIONS,
    NO_PRICES,
    UNIVERSE,
    action_on,
    batch_of,
    closes_from,
    morning_after,
)

FIRST = date(2024, 3, 1)
SESSIONS = 30
FAULTS = ("spike", "level", "hundred", "halved", "nan", "twice", "currency", "absent", "late")

faults = st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(1, SESSIONS - 1)), max_size=4)
seeds = st.integers(0, 10_000)


def faulty_rows(seed: int, drawn: list[tuple[str, int]], symbol: str = "^GSPC") -> pd.DataFrame:
    """A random walk of about 1 % a day with faults put in."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, SESSIONS)))
    factors = {"level": exp(-0.25), "halved": 0.5, "spike": exp(0.2), "hundred": 100.0, "nan": np.nan}
    lengths = {"level": SESSIONS, "halved": SESSIONS, "hundred": 3}
    for fault, place in drawn:
        closes[place : place + lengths.get(fault, 1)] *= factors.get(fault, 1.0)
    rows = closes_from(FIRST, list(closes), symbol)
    days = rows["observed_on"].tolist()
    for fault, place in drawn:
        rows = with_row_fault(rows, rows["observed_on"] == days[place], fault)
    return rows.sort_values("observed_on", kind="stable").reset_index(drop=True)


def with_row_fault(rows: pd.DataFrame, at: pd.Series, fault: str) -> pd.DataFrame:
    if fault == "twice":
        again = rows[at].assign(close=rows["close"][at] * 1.01, high=np.nan)
        return pd.concat([rows, again], ignore_index=True)
    if fault == "late":  # every day from there on is labelled a day late: Friday's row says Saturday
        days = rows["observed_on"] + pd.to_timedelta(at.cummax().astype(int), unit="D")
        return rows.assign(observed_on=days, available_at=price_known_at(days)).astype(PRICE_DTYPES)
    if fault == "currency":
        return rows.assign(currency=rows["currency"].where(~at, "GBP"))
    return rows[~at] if fault == "absent" else rows


def in_one_go(rows: pd.DataFrame, actions: pd.DataFrame = NO_ACTIONS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check all rows at once: what is believed, what is in quarantine."""
    checked = check_batch(batch_of(rows, actions=actions), UNIVERSE, NO_PRICES)
    return checked.prices, each_once([checked.quarantined])


def day_by_day(rows: pd.DataFrame, actions: pd.DataFrame = NO_ACTIONS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feed each morning the rows since the newest believed one, keep what is believed and what is in quarantine."""
    known, doubted = NO_PRICES, []
    for day in rows["observed_on"].unique():
        since = known["observed_on"].max() if len(known) else pd.Timestamp(FIRST)
        window = rows[(rows["observed_on"] >= since) & (rows["observed_on"] <= day)]
        recorded = actions[actions["observed_on"] <= day]
        checked = check_batch(batch_of(window, morning_after(day.date()), recorded), UNIVERSE, known)
        known = pd.concat([known, checked.prices]).drop_duplicates("observed_on", keep="first")
        doubted.append(checked.quarantined)
    return known.sort_values("observed_on").reset_index(drop=True), each_once(doubted)


def each_once(quarantined: list[pd.DataFrame]) -> pd.DataFrame:
    """Keep each record once, as the store does."""
    records = pd.concat(quarantined, ignore_index=True).drop_duplicates()
    return records.sort_values(["observed_on", "rule", "payload"]).reset_index(drop=True)


def agreed(rows: pd.DataFrame, actions: pd.DataFrame = NO_ACTIONS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check the rows both ways, which must leave the same, and return it."""
    believed, doubted = in_one_go(rows, actions)
    believed_later, doubted_later = day_by_day(rows, actions)
    pd.testing.assert_frame_equal(believed, believed_later)
    pd.testing.assert_frame_equal(doubted, doubted_later)
    return believed, doubted


@settings(deadline=None, max_examples=6)
@given(seeds, faults)
def test_the_same_rows_are_believed_and_doubted_from_the_same_instants_in_one_go_and_day_by_day(
    seed: int, drawn: list[tuple[str, int]]
):
    agreed(faulty_rows(seed, drawn))


def test_one_go_and_day_by_day_agree_on_every_kind_of_fault():
    drawn = [("level", 3), ("spike", 7), ("hundred", 10), ("nan", 15), ("twice", 17), ("absent", 20), ("halved", 24)]
    rows = faulty_rows(5, drawn)
    believed, _ = agreed(rows)
    days = closes_from(FIRST, [1.0] * SESSIONS)["observed_on"].tolist()
    out = [days.index(day) for day in days if day not in set(believed["observed_on"])]
    assert out == [7, 10, 11, 12, 15, 17, 20, *range(24, 30)]
    late = believed[believed["observed_on"] == days[3]]["available_at"].iloc[0]
    assert late == rows[rows["observed_on"] == days[4]]["available_at"].iloc[0]


def test_one_go_and_day_by_day_agree_when_the_days_are_labelled_late():
    rows = faulty_rows(5, [("late", 10)])
    believed, _ = agreed(rows)
    # the tenth session, Friday 15 March, is a Saturday now: the weeks after it have no Monday and are distrusted, until
    # Good Friday lets a week pass that has no Saturday either
    days = believed["observed_on"]
    assert days[days < pd.Timestamp("2024-03-29")].max() == pd.Timestamp("2024-03-14")


def test_one_go_and_day_by_day_agree_when_a_split_is_recorded():
    rows = faulty_rows(5, [("halved", 12), ("level", 20)])
    split = action_on(rows["observed_on"].tolist()[12].date(), SPLIT, 2.0)
    believed, doubted = agreed(rows, split)
    assert len(believed) == SESSIONS
    days = rows["observed_on"].tolist()
    assert doubted[["observed_on", "rule"]].to_numpy().tolist() == [[days[20], "jump"]]  # until the next close


@settings(deadline=None, max_examples=25)
@given(seeds, faults, st.integers(1, SESSIONS - 1), st.integers(0, 10_000))
def test_what_is_believed_and_doubted_at_an_instant_is_unchanged_when_later_rows_are_noise(
    seed: int, drawn: list[tuple[str, int]], cut: int, noise_seed: int
):
    rows = faulty_rows(seed, drawn)
    instant = rows["available_at"].iloc[min(cut, len(rows) - 1)]
    later = rows["available_at"] > instant
    noise = pd.Series(np.random.default_rng(noise_seed).lognormal(5, 2, len(rows)).tolist(), index=rows.index)
    noisy = rows.assign(close=rows["close"].where(~later, noise), currency=rows["currency"].where(~later, "EUR"))
    noisy = noisy.assign(high=noisy["close"], low=noisy["close"], open=noisy["close"])
    rows = rows.assign(high=rows["close"], low=rows["close"], open=rows["close"])
    noisy.loc[later & (noise > 300), "currency"] = "USD"
    for plain, other in zip(in_one_go(rows), in_one_go(noisy), strict=True):
        known = (frame[frame["available_at"] <= instant].reset_index(drop=True) for frame in (plain, other))
        pd.testing.assert_frame_equal(*known)


@settings(deadline=None, max_examples=25)
@given(seeds, faults)
def test_every_row_stands_in_exactly_one_frame_at_any_instant(seed: int, drawn: list[tuple[str, int]]):
    rows = pd.concat([faulty_rows(seed, drawn), faulty_rows(seed + 1, drawn, "LQQ.PA")], ignore_index=True)
    checked = check_batch(batch_of(rows), UNIVERSE, NO_PRICES)
    key = ["symbol", "observed_on"]
    both = checked.prices.merge(checked.quarantined, on=key, suffixes=("_believed", "_doubted"))
    assert len(checked.prices) + len(checked.quarantined) - len(both) == len(rows)
    assert (both["available_at_believed"] > both["available_at_doubted"]).all()
    assert not checked.prices.duplicated(["symbol", "observed_on"]).any()
    assert (checked.prices["close"] > 0).all()


@settings(deadline=None, max_examples=10)
@given(seeds, faults, st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(seed: int, drawn: list[tuple[str, int]], shuffle: int):
    rows = faulty_rows(seed, drawn)
    mixed = rows.sample(frac=1.0, random_state=shuffle)
    key = ["symbol", "observed_on"]
    (plain, doubted), (other, also_doubted) = in_one_go(rows), in_one_go(mixed)
    plain, other = (frame.sort_values(key).reset_index(drop=True) for frame in (plain, other))
    pd.testing.assert_frame_equal(plain, other)
    pd.testing.assert_frame_equal(doubted, also_doubted)
