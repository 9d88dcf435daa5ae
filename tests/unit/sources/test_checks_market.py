"""Lines that crash with the market, and splits that nobody recorded."""

from __future__ import annotations

from datetime import date, datetime
from math import exp, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.findings import Severity
from portfolio.sources.checks import CheckedBatch, check_batch
from tests.unit.sources.tables import (
    NO_PRICES,
    NO_QUARANTINE,
    UNIVERSE,
    batch_of,
    morning_after,
    rows_on,
    sessions_from,
)

FIRST = date(2018, 1, 22)  # both exchanges trade on all weekdays until New York's holiday on 19 February
CRASH = date(2018, 2, 5)
DAYS = sessions_from(FIRST, 18, "LQQ.PA")
PLACE = DAYS.index(CRASH)
CALM = [0.003 * (-1) ** day for day in range(18)]  # log returns of a calm market
LQQ, SPX, NDX = "LQQ.PA", "^GSPC", "^NDX"


def history(line: dict[int, float], drivers: dict[int, float], symbol: str = LQQ) -> pd.DataFrame:
    """A line and both drivers, calm but for the log returns given by the day's distance from the crash."""

    def closes(level: float, moves: dict[int, float]) -> list[float]:
        returns = [moves.get(day - PLACE, calm) for day, calm in enumerate(CALM)]
        return list(level * np.exp(np.cumsum(returns)))

    parts = [(symbol, closes(20.0, line)), (SPX, closes(2800.0, drivers)), (NDX, closes(7000.0, drivers))]
    return pd.concat([rows_on(DAYS, values, name) for name, values in parts], ignore_index=True)


def on_morning_after(rows: pd.DataFrame, distance: int, known: pd.DataFrame = NO_PRICES) -> CheckedBatch:
    """Check what there was on the morning after the day that is so many sessions from the crash."""
    day = DAYS[PLACE + distance]
    return check_batch(batch_of(rows[rows["observed_on"] <= pd.Timestamp(day)], morning_after(day)), UNIVERSE, known)


def doubtful(result: CheckedBatch, symbol: str = LQQ) -> list[tuple[int, str]]:
    """List what is in quarantine and not believed."""
    rows = result.quarantined[result.quarantined["symbol"] == symbol]
    rows = rows[~rows["observed_on"].isin(result.prices[result.prices["symbol"] == symbol]["observed_on"])]
    return [(DAYS.index(day.date()) - PLACE, rule) for day, rule in zip(rows["observed_on"], rows["rule"], strict=True)]


def known_from(result: CheckedBatch, distance: int, symbol: str = LQQ) -> datetime:
    at = (result.prices["symbol"] == symbol) & (result.prices["observed_on"] == pd.Timestamp(DAYS[PLACE + distance]))
    return result.prices[at]["available_at"].iloc[0]


THIRD, SIXTH = log(1 - 0.334), log(1 - 0.167)  # the line's crash has the ratio of a 3:2 split, log(1.5) = 0.405


def test_a_crash_of_a_line_is_believed_once_the_drivers_crash_is():
    rows = history({0: THIRD}, {0: SIXTH})
    first = on_morning_after(rows, 0)
    assert doubtful(first) == [(0, "unexplained-split")]
    assert doubtful(first, NDX) == [(0, "jump")]
    second = on_morning_after(rows, 1)
    assert [doubtful(second, name) for name in (LQQ, SPX, NDX)] == [[], [], []]
    # until then they are in doubt as they were on the first morning, whatever came on the second
    pd.testing.assert_frame_equal(second.quarantined, first.quarantined)
    assert {item.severity for item in second.findings if item.session == CRASH} == {Severity.WARNING}
    # no earlier than the close that confirms the drivers': 6 February's, known on the 7th
    assert known_from(second, 0) == pd.Timestamp("2018-02-07 05:00", tz="UTC")
    assert known_from(second, 1) == pd.Timestamp("2018-02-07 05:00", tz="UTC")
    assert on_morning_after(rows, 6).prices["symbol"].value_counts()[LQQ] == PLACE + 7


def test_a_split_that_nobody_recorded_stays_doubtful_in_a_calm_market():
    rows = history({0: -log(1.5)}, {})
    assert doubtful(on_morning_after(rows, 6)) == [(day, "unexplained-split") for day in range(7)]
    message = on_morning_after(rows, 0).quarantined["message"].iloc[-1]
    assert "`portfolio update`" in message
    assert "universe file" in message


@pytest.mark.parametrize(
    ("line", "drivers"),
    [
        ({0: -0.39}, {0: -0.149}),  # the same session
        ({0: -0.39}, {-1: -0.149}),  # New York fell after Paris had closed
        ({0: -0.39}, {-1: -0.09, 0: -0.11}),  # both
        ({0: 0.39}, {0: 0.149}),
    ],
)
def test_a_move_that_the_drivers_made_is_no_jump(line: dict[int, float], drivers: dict[int, float]):
    result = on_morning_after(history(line, drivers), 0)
    assert result.quarantined.empty
    assert known_from(result, 0) == pd.Timestamp("2018-02-06 05:00", tz="UTC")


@pytest.mark.parametrize(
    ("line", "drivers"),
    [
        ({0: -0.39}, {0: 0.149}),  # the other way
        ({0: -0.39}, {-2: -0.149}),  # two sessions before
        ({0: -0.39}, {1: -0.149}),  # the session after
        ({0: -0.39}, {0: -0.09}),  # they explain 0.18 of it and leave 0.21: usual, but a split is as likely
        ({0: -0.39}, {0: -0.03}),
        ({0: -0.39}, dict.fromkeys(range(1, 7), -0.02)),  # a market that falls after the split
        ({0: -log(100)}, {0: -0.149}),
    ],
)
def test_a_move_that_the_drivers_did_not_make_stays_doubtful(line: dict[int, float], drivers: dict[int, float]):
    assert [day for day, _ in doubtful(on_morning_after(history(line, drivers), 6))] == list(range(7))


def test_the_leverage_counts():
    # the world line has leverage 1: twice the drivers' move is unexplained by half
    rows = history({0: -0.40}, {0: -0.149}, "WPEA.PA")
    assert doubtful(on_morning_after(rows, 0), "WPEA.PA") == [(0, "unexplained-split")]
    assert doubtful(on_morning_after(history({0: -0.16}, {0: -0.149}, "WPEA.PA"), 0), "WPEA.PA") == []


def test_the_mean_of_the_drivers_counts():
    rows = history({0: -0.39}, {0: -0.149})
    flat = rows["symbol"].eq(SPX) & (rows["observed_on"] >= pd.Timestamp(CRASH))
    rows.loc[flat, ["open", "high", "low", "close"]] *= exp(0.149)
    assert doubtful(on_morning_after(rows, 0)) == [(0, "unexplained-split")]  # 0.149 of 0.39


def test_a_driver_without_a_close_explains_nothing():
    rows = history({0: -0.39}, {0: -0.149})
    lacking = rows[~(rows["symbol"].eq(SPX) & (rows["observed_on"] == pd.Timestamp(CRASH)))]
    assert doubtful(on_morning_after(lacking.reset_index(drop=True), 0)) == [(0, "unexplained-split")]


def test_a_driver_known_later_than_the_line_explains_it_only_then():
    rows = history({0: -0.39}, {0: -0.149})
    late = rows["symbol"].isin([SPX, NDX]) & (rows["observed_on"] == pd.Timestamp(CRASH))
    rows.loc[late, "available_at"] += pd.Timedelta(hours=30)
    result = on_morning_after(rows, 4)
    assert doubtful(result) == []
    # CRASH and the day after were doubted from their own mornings on
    assert result.quarantined["available_at"].tolist() == [
        pd.Timestamp(f"2018-02-{day:02d} 05:00", tz="UTC") for day in (6, 7)
    ]
    assert result.quarantined["rule"].tolist() == ["unexplained-split"] * 2
    assert known_from(result, 0) == pd.Timestamp("2018-02-08 05:00", tz="UTC")  # with the next row after it
    assert known_from(result, 1) == pd.Timestamp("2018-02-08 05:00", tz="UTC")
    assert known_from(result, 2) == pd.Timestamp("2018-02-08 05:00", tz="UTC")


def test_drivers_that_are_believed_already_explain_a_line():
    rows = history({0: -0.39}, {0: -0.149})
    drivers = rows[rows["symbol"] != LQQ]
    assert on_morning_after(rows[rows["symbol"] == LQQ], 0, drivers).quarantined.empty


def test_what_was_believed_of_a_driver_counts_not_its_correction():
    # the drivers' crash comes as a correction of a calm day: nobody knew of it on the line's morning
    rows = history({0: -0.39}, {0: -0.149})
    calm = history({}, {})
    known = calm[(calm["symbol"] != LQQ) & (calm["observed_on"] <= pd.Timestamp(CRASH))]
    assert doubtful(on_morning_after(rows, 0, known)) == [(0, "unexplained-split")]


def test_a_line_and_its_drivers_over_a_new_york_holiday():
    # New York is closed on Monday 19 February: on Tuesday Paris makes up for New York's Tuesday alone
    days = [*DAYS, *sessions_from(date(2018, 2, 15), 5, LQQ)]
    assert date(2018, 2, 19) in days
    line = rows_on(days, [20.0] * 22 + [20.0 * exp(-0.39)], LQQ)
    trading = [day for day in days if day != date(2018, 2, 19)]
    drivers = [rows_on(trading, [2800.0] * 21 + [2800.0 * exp(-0.149)], name) for name in (SPX, NDX)]
    result = check_batch(batch_of(pd.concat([line, *drivers])), UNIVERSE, NO_PRICES)
    assert trading[-1] == days[-1] == date(2018, 2, 21)
    assert result.quarantined.empty


moves = st.dictionaries(
    st.integers(-4, 6), st.sampled_from([-0.405, -0.39, -0.31, -0.2, -0.1, 0.1, 0.2, 0.39, 0.69, -4.6]), max_size=3
)
shares = st.dictionaries(st.integers(-4, 6), st.sampled_from([-0.2, -0.183, -0.149, -0.08, 0.1, 0.16, 0.2]), max_size=3)
losses = st.sets(st.integers(0, 3 * 18 - 1), max_size=4)


def day_by_day(rows: pd.DataFrame, window: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feed every morning the last rows, at least back over every symbol's newest believed one, and keep what is new."""
    known, doubted = NO_PRICES, NO_QUARANTINE
    for distance in range(-PLACE, len(DAYS) - PLACE):
        reach = known.groupby("symbol")["observed_on"].max().reindex([LQQ, SPX, NDX]).min()
        since = min(
            pd.Timestamp(DAYS[max(distance + PLACE - window, 0)]), pd.Timestamp(FIRST) if pd.isna(reach) else reach
        )
        fresh = on_morning_after(rows[rows["observed_on"] >= since].reset_index(drop=True), distance, known)
        known = pd.concat([known, fresh.prices]).drop_duplicates(["symbol", "observed_on"], keep="first")
        doubted = pd.concat([doubted, fresh.quarantined]).drop_duplicates()
    return by_key(known), by_key(doubted)


def by_key(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["symbol", "observed_on"]).reset_index(drop=True)


@settings(deadline=None, max_examples=8)
@given(moves, shares, losses, st.sampled_from([0, 30]))
def test_lines_and_drivers_are_believed_and_doubted_from_the_same_instants_in_one_go_and_day_by_day(
    line: dict[int, float], drivers: dict[int, float], lost: set[int], window: int
):
    rows = history(line, drivers).drop(index=list(lost)).reset_index(drop=True)
    in_one_go = on_morning_after(rows, len(DAYS) - PLACE - 1)
    believed, doubted = day_by_day(rows, window)
    pd.testing.assert_frame_equal(by_key(in_one_go.prices), believed)
    pd.testing.assert_frame_equal(by_key(in_one_go.quarantined), doubted)


@settings(deadline=None, max_examples=25)
@given(moves, shares, moves, shares, st.integers(-3, 5))
def test_what_is_believed_and_doubted_at_an_instant_is_unchanged_when_later_moves_of_line_and_drivers_differ(
    line: dict[int, float],
    drivers: dict[int, float],
    other_line: dict[int, float],
    other_drivers: dict[int, float],
    cut: int,
):
    def until_cut(mine: dict[int, float], other: dict[int, float]) -> dict[int, float]:
        return {day: move for day, move in mine.items() if day <= cut} | {
            day: move for day, move in other.items() if day > cut
        }

    instant = pd.Timestamp(morning_after(DAYS[PLACE + cut]))

    def known_by_then(rows: pd.DataFrame) -> list[pd.DataFrame]:
        checked = on_morning_after(rows, len(DAYS) - PLACE - 1)
        return [by_key(frame[frame["available_at"] <= instant]) for frame in (checked.prices, checked.quarantined)]

    plain = known_by_then(history(line, drivers))
    other = known_by_then(history(until_cut(line, other_line), until_cut(drivers, other_drivers)))
    for one, another in zip(plain, other, strict=True):
        pd.testing.assert_frame_equal(one, another)
