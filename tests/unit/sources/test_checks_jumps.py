from __future__ import annotations

from datetime import date
from math import exp, log
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.findings import Severity
from portfolio.sources.batch import SPLIT
from portfolio.sources.checks import CheckedBatch, check_batch
from portfolio.sources.checks_doubt import doubtful_prices
from portfolio.sources.checks_jumps import CEILING, FLOOR, Quote, judge_jumps, jump_rule
from tests.unit.sources.tables import (
    MONDAY,
    NO_ACTIONS,
    NO_PRICES,
    UNIVERSE,
    action_on,
    batch_of,
    closes_from,
    morning_after,
    rows_on,
    sessions_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def verdicts(closes: Sequence[float | None], leverage: int = 1, splits: dict[int, float] | None = None) -> list[str]:
    """Judge one close a session (None: no row); "" is believed, "late n" believed with the instant of session n."""
    quotes = [Quote(place, close, place, place) for place, close in enumerate(closes) if close]
    judged = judge_jumps(quotes, [], leverage, splits or {})
    return [
        verdict.rule.name if verdict.rule else f"late {verdict.available_at}" if verdict.doubted else ""
        for _, verdict in sorted(judged.items())
    ]


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        # a usual move, up to just below the floor of 0.15
        ([100, 101, 101 * exp(0.149)], ["", "", ""]),
        # the newest close jumps: doubtful
        ([100, 101, 80], ["", "", "jump"]),
        # the next close stands by it: believed, but known only with that close
        ([100, 101, 80, 81], ["", "", "late 3", ""]),
        # the next close is back: the jump stays out
        ([100, 101, 80, 100, 101], ["", "", "jump", "", ""]),
        # a spike of a size between one and two usual moves is not saved by the return
        ([100, 101, 120, 103, 102], ["", "", "jump", "", ""]),
        # the next session's row is missing: nothing confirms, the later pair settles it
        ([100, 101, 80, None, 81, 82], ["", "", "jump", "late 5", ""]),
        # between the two levels and nearer to the believed one; on a third level, which is then confirmed
        ([100, 101, 76, 90, 91], ["", "", "jump", "", ""]),
        ([100, 101, 130, 75, 76], ["", "", "jump", "late 4", ""]),
        # 100 times: never confirmed, however long it lasts, until it is back
        ([100, 101, 10100, 10150, 10200, 102], ["", "", "unit-flip", "unit-flip", "unit-flip", ""]),
        ([100, 101, 1.01, 1.02, 101], ["", "", "unit-flip", "unit-flip", ""]),
        ([100, 101, 0.1, 101], ["", "", "unit-flip", ""]),
        ([100, 101, 99000, 101], ["", "", "unit-flip", ""]),
        # a split's ratio: 2:1, 1:2, 3:2, 200:1; it stays doubtful even when the level drifts off the ratio
        ([100, 101, 50.5, 51], ["", "", "unexplained-split", "unexplained-split"]),
        ([100, 101, 202, 204], ["", "", "unexplained-split", "unexplained-split"]),
        ([150, 150, 100, 100], ["", "", "unexplained-split", "unexplained-split"]),
        ([100, 100, 0.5, 0.5], ["", "", "unexplained-split", "unexplained-split"]),
        ([100, 100, 50, 55, 60, 59], ["", "", *["unexplained-split"] * 4]),
    ],
)
def test_a_close_is_believed_doubted_or_confirmed(closes: list[float | None], expected: list[str]):
    assert verdicts(closes) == expected


def test_the_floor_is_the_leverages():
    closes = [100.0, 100.0, 100 * exp(1.9 * FLOOR)]
    assert verdicts(closes) == ["", "", "jump"]
    assert verdicts(closes, leverage=2) == ["", "", ""]


def test_the_threshold_widens_in_a_wild_year():
    calm = [100.0 * exp(0.001 * (-1) ** day) for day in range(61)]
    wild = [100.0 * exp(0.02 * (-1) ** day) for day in range(61)]
    # alternating returns of +-0.04 lie 0.04 from their median 0: spread 1.4826 * 0.04, eight of them beyond the ceiling
    assert verdicts([*calm, calm[-1] * exp(0.3)])[-1] == "jump"
    assert verdicts([*wild, wild[-1] * exp(0.3)])[-1] == ""
    assert verdicts([*wild, wild[-1] * exp(CEILING + 0.01)])[-1] == "unexplained-split"


def test_a_gap_allows_a_wider_move():
    assert verdicts([100.0, None, None, None, 100 * exp(0.29)]) == ["", ""]
    assert verdicts([100.0, None, None, None, 100 * exp(0.31)]) == ["", "jump"]


@pytest.mark.parametrize("closes", [[100.0, 100.0, 50.0, 50.0], [100.0, 100.0, 100.0, 100.0]])
def test_a_recorded_split_explains_the_jump_and_its_absence(closes: list[float]):
    assert verdicts(closes, splits={2: log(2.0)}) == ["", "", "", ""]


def test_a_recorded_split_does_not_explain_the_opposite_jump():
    assert verdicts([100.0, 100.0, 200.0], splits={2: log(2.0)})[-1] == "unexplained-split"


@pytest.mark.parametrize(
    ("ratio", "rule"),
    [
        (100, "unit-flip"),
        (0.0104, "unit-flip"),
        (1000, "unit-flip"),
        (1.5, "unexplained-split"),
        (2.05, "unexplained-split"),
        (1 / 3, "unexplained-split"),
        (57.3, "unexplained-split"),
        (1.2, "jump"),
        (0.59, "jump"),
        (0.8, "jump"),
    ],
)
def test_a_jump_is_named_by_its_ratio(ratio: float, rule: str):
    assert jump_rule(ratio).name == rule


def checked(prices: pd.DataFrame, known: pd.DataFrame = NO_PRICES, actions: pd.DataFrame = NO_ACTIONS) -> CheckedBatch:
    return check_batch(batch_of(prices, actions=actions), UNIVERSE, known)


def test_a_confirmed_row_is_known_from_the_morning_after_its_witness():
    result = checked(closes_from(MONDAY, [100, 101, 80, 81]))
    assert result.prices["available_at"].tolist() == [
        pd.Timestamp(f"2024-06-{day:02d} 04:00", tz="UTC") for day in (4, 5, 7, 7)
    ]
    assert [(str(item.severity), item.rule, item.session) for item in result.findings if item.subject == "^GSPC"] == [
        ("warning", "jump", date(2024, 6, 5))
    ]


def test_a_confirmed_row_was_in_doubt_until_then_as_one_that_is_never_confirmed():
    confirmed = checked(closes_from(MONDAY, [100, 101, 80, 81])).quarantined
    contradicted = checked(closes_from(MONDAY, [100, 101, 80, 101])).quarantined
    on_its_morning = checked(closes_from(MONDAY, [100, 101, 80])).quarantined
    assert confirmed["rule"].tolist() == ["jump"]
    assert confirmed["available_at"].tolist() == [pd.Timestamp("2024-06-06 04:00", tz="UTC")]
    pd.testing.assert_frame_equal(confirmed, contradicted)
    pd.testing.assert_frame_equal(confirmed, on_its_morning)


def test_a_confirmed_row_that_comes_again_is_in_no_doubt():
    first = checked(closes_from(MONDAY, [100, 101, 80, 81]))
    again = checked(closes_from(MONDAY, [100, 101, 80, 81, 82]), first.prices)
    assert again.quarantined.empty
    assert [item for item in again.findings if item.subject == "^GSPC"] == []


def test_a_jump_confirmed_long_ago_is_a_note():
    result = checked(closes_from(MONDAY, [100, 101, 80, *[81] * 8]))  # ten sessions up to the fetch's own day
    assert [str(item.severity) for item in result.findings if item.rule == "jump"] == ["warning"]
    result = checked(closes_from(MONDAY, [100, 101, 80, *[81] * 9]))
    assert [str(item.severity) for item in result.findings if item.rule == "jump"] == ["info"]


def test_a_confirmed_jump_is_no_doubt_once_its_row_is_believed():
    result = checked(closes_from(MONDAY, [100, 101, 80, 81]))
    known, doubted = result.prices.assign(batch_id=1), result.quarantined.assign(batch_id=1)
    sessions = sessions_from(MONDAY, 4, "^GSPC")
    assert list(doubtful_prices("^GSPC", known, doubted, sessions)) == []
    assert list(doubtful_prices("^GSPC", known, doubted, sessions[3:])) == []  # nor is it counted among the older ones
    (before,) = doubtful_prices("^GSPC", known[known["observed_on"] < "2024-06-05"], doubted, sessions[:3])
    assert (before.severity, before.session, before.value) == (Severity.ERROR, date(2024, 6, 5), "jump")


def test_a_batch_is_compared_with_the_known_rows_before_it():
    known = closes_from(MONDAY, [100, 101])
    result = checked(closes_from(date(2024, 6, 5), [10200, 102]), known)
    assert result.quarantined[["rule", "severity"]].to_numpy().tolist() == [["unit-flip", "error"]]
    assert result.prices["close"].tolist() == [102.0]


def test_a_wrong_revision_of_a_known_row_does_not_shake_the_next():
    known = closes_from(MONDAY, [100, 101, 102])
    result = checked(closes_from(date(2024, 6, 5), [10200, 103]), known)
    assert result.prices["close"].tolist() == [103.0]


def test_a_row_that_comes_again_keeps_the_instant_it_was_believed_from():
    first = checked(closes_from(MONDAY, [100, 101, 80, 81]))
    again = checked(closes_from(date(2024, 6, 5), [80, 81, 82]), first.prices)
    assert again.prices.iloc[:2].reset_index(drop=True).equals(first.prices.iloc[2:].reset_index(drop=True))


def test_a_known_row_confirms_a_doubtful_one_that_was_mended_late():
    days = sessions_from(MONDAY, 4, "^GSPC")
    known = rows_on([days[0], days[1], days[3]], [100, 101, 81])
    result = check_batch(batch_of(rows_on([days[2]], [80]), morning_after(days[3])), UNIVERSE, known)
    assert result.prices["available_at"].tolist() == [pd.Timestamp("2024-06-07 04:00", tz="UTC")]


def test_a_recorded_split_in_the_batch_explains_its_day():
    prices = closes_from(MONDAY, [100, 101, 50.2, 50.4])
    assert len(checked(prices).prices) == 2
    assert len(checked(prices, actions=action_on(date(2024, 6, 5), SPLIT, 2.0)).prices) == 4


def test_each_symbol_is_judged_by_itself():
    rows = pd.concat([closes_from(MONDAY, [100, 101]), closes_from(MONDAY, [5.0, 5.1], "WPEA.PA")])
    mixed = rows.sort_values(["observed_on", "symbol"])
    assert checked(mixed).quarantined.empty
