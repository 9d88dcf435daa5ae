"""What a batch says of days that are believed already."""

from __future__ import annotations

from datetime import date
from math import exp, log

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.findings import Severity
from portfolio.sources.batch import SPLIT
from portfolio.sources.checks import CheckedBatch, check_batch
from tests.unit.sources.tables import MONDAY, NO_ACTIONS, NO_PRICES, UNIVERSE, action_on, batch_of, closes_from

CLOSES = [100.0 + 2 * (day % 3) + 0.1 * day for day in range(26)]  # moves of 2 and 4 %
KNOWN = closes_from(MONDAY, CLOSES[:25])
DAYS = [day.date() for day in closes_from(MONDAY, CLOSES)["observed_on"]]


def delivered(factors: dict[int, float], new_day: float = 1.0) -> pd.DataFrame:
    """The known 25 days with factors on some closes, and one new day."""
    factors = {25: new_day} | factors
    return closes_from(MONDAY, [close * factors.get(day, 1.0) for day, close in enumerate(CLOSES)])


def checked(prices: pd.DataFrame, actions: pd.DataFrame = NO_ACTIONS, known: pd.DataFrame = KNOWN) -> CheckedBatch:
    return check_batch(batch_of(prices, actions=actions), UNIVERSE, known)


def about(result: CheckedBatch) -> list[tuple[str, str, str | None]]:
    return [(str(item.severity), item.rule, item.value) for item in result.findings if item.subject == "^GSPC"]


def all_by(factor: float) -> dict[int, float]:
    return dict.fromkeys(range(25), factor)


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.0, 1.02, 0.999])
def test_a_history_that_changes_wholesale_is_set_aside_and_the_new_day_judged_by_what_was_believed(factor: float):
    result = checked(delivered(all_by(factor)))
    assert result.quarantined["rule"].tolist() == ["restated-history"] * 25
    assert result.prices["observed_on"].tolist() == [pd.Timestamp(DAYS[25])]
    assert Severity.ERROR in {item.severity for item in result.findings if item.rule == "restated-history"}


def test_the_new_day_of_another_scale_is_judged_by_what_was_believed():
    result = checked(delivered(all_by(100.0), new_day=100.0))
    assert result.quarantined["rule"].tolist() == [*["restated-history"] * 25, "unit-flip"]
    assert result.prices.empty


def test_a_history_with_its_days_shifted_is_set_aside():
    shifted = closes_from(MONDAY, [CLOSES[0], *CLOSES[:25]])  # each close a session late
    result = checked(shifted)
    assert result.quarantined["rule"].tolist() == ["restated-history"] * 25
    assert "(24 of 25 closes differ)" in result.quarantined["message"][0]


@pytest.mark.parametrize(
    ("changed", "known", "history"),
    [
        (5, 25, False),  # 20 %, not over
        (6, 25, True),
        (4, 10, False),  # fewer than five
        (5, 10, True),
    ],
)
def test_how_many_changes_make_a_restated_history(changed: int, known: int, *, history: bool):
    factors = dict.fromkeys(range(changed), 1.01)
    rows = delivered(factors).iloc[: known + 1]
    result = checked(rows, known=KNOWN.iloc[:known])
    assert (len(result.prices), len(result.quarantined)) == ((1, known) if history else (known + 1, 0))


def test_a_few_small_corrections_are_believed_and_counted():
    result = checked(delivered({3: 1.01, 4: 1.14, 9: 0.99}))
    assert result.quarantined.empty
    assert result.prices["close"][4] == CLOSES[4] * 1.14
    assert about(result) == [("info", "corrected-prices", "3")]


def test_changes_below_five_hundredths_of_a_percent_are_no_restatement():
    result = checked(delivered(all_by(1.0004)))
    assert len(result.prices) == 26
    assert about(result) == [("info", "corrected-prices", "25")]


def test_another_spelling_of_the_same_number_is_no_correction():
    assert about(checked(delivered(all_by(1 + 1e-7)))) == []


@pytest.mark.parametrize(("factor", "believed"), [(exp(0.149), True), (exp(0.151), False), (exp(-0.151), False)])
def test_a_close_far_from_the_one_believed_of_its_day_is_set_aside(factor: float, *, believed: bool):
    result = checked(delivered({9: factor}))  # the day before it was 4 % higher, the day after 2 %
    assert result.quarantined["rule"].tolist() == ([] if believed else ["restated"])
    assert len(result.prices) + len(result.quarantined) == 26
    assert "`portfolio update`" in "".join(result.quarantined["message"]) or believed


@pytest.mark.parametrize("factor", [1.08, 0.93])  # dollars told as euros, euros as dollars
def test_closes_of_another_currency_are_set_aside_with_the_new_one_when_they_stand_among_the_others(factor: float):
    result = checked(delivered({19: factor, 21: factor, 23: factor * 1.005}, new_day=factor))
    assert result.quarantined["rule"].tolist() == ["restated"] * 4
    assert [DAYS.index(day.date()) for day in result.quarantined["observed_on"]] == [19, 21, 23, 25]


def test_the_new_close_is_set_aside_when_the_whole_history_comes_in_another_currency():
    result = checked(delivered(all_by(1.08), new_day=1.08))
    assert result.quarantined["rule"].tolist() == [*["restated-history"] * 25, "restated"]


def test_the_new_close_of_a_line_is_set_aside_when_others_are_off_by_what_only_the_line_may_move_in_a_day():
    known, rows = (
        frame.assign(symbol="LQQ.PA", currency="EUR") for frame in (KNOWN, delivered({23: 1.2}, new_day=1.2))
    )
    result = checked(rows, known=known)  # 18 %, where a 2x line may move by 30
    assert [DAYS.index(day.date()) for day in result.quarantined["observed_on"]] == [23, 25]


def test_the_new_close_is_believed_when_only_earlier_ones_are_of_another_currency():
    result = checked(delivered({19: 1.08, 21: 1.08}))
    assert [DAYS.index(day.date()) for day in result.quarantined["observed_on"]] == [19, 21]


def test_closes_of_another_currency_are_corrected_when_they_had_been_believed():
    wrong = delivered({19: 1.08, 21: 1.08}).iloc[:25]
    result = checked(delivered({}), known=wrong)
    assert result.quarantined.empty
    assert about(result) == [("info", "corrected-prices", "2")]


@pytest.mark.parametrize("factors", [{19: 1.08}, {19: 1.08, 21: 0.93}, {19: 1.02, 21: 1.02}])
def test_changes_that_are_single_unlike_or_small_are_corrections(factors: dict[int, float]):
    assert checked(delivered(factors)).quarantined.empty


def test_the_believed_close_stands_in_for_the_one_set_aside():
    # the newest known day comes 100 times off; the new day is near what was believed of it
    assert checked(delivered({24: 100.0})).prices["observed_on"].tolist()[-1] == pd.Timestamp(DAYS[25])


def test_nothing_is_restated_when_nothing_was_believed():
    assert len(checked(delivered(all_by(100.0), 100.0), known=NO_PRICES).prices) == 26


def test_a_recorded_split_of_a_later_day_explains_its_factor():
    split = action_on(DAYS[25], SPLIT, 10.0)
    result = checked(delivered(all_by(0.1), new_day=0.1), split)
    assert len(result.prices) == 26
    assert about(result) == [("info", "corrected-prices", "25")]


def test_a_split_explains_only_its_own_factor_and_direction():
    split = action_on(DAYS[25], SPLIT, 10.0)
    for factor in (0.2, 10.0, 0.101):
        assert set(checked(delivered(all_by(factor), new_day=0.1), split).quarantined["rule"]) == {"restated-history"}


def test_a_split_explains_only_the_days_before_it():
    known = delivered(dict.fromkeys(range(12, 25), 0.5)).iloc[:25]
    split = action_on(DAYS[12], SPLIT, 2.0)
    assert len(checked(delivered(all_by(0.5), new_day=0.5), split, known).prices) == 26
    further = dict.fromkeys(range(12), 0.5) | dict.fromkeys(range(12, 25), 0.25)
    assert "restated-history" in set(checked(delivered(further, new_day=0.25), split, known).quarantined["rule"])


def test_a_split_that_the_believed_closes_hold_already_is_not_counted_again():
    splits = pd.concat([action_on(DAYS[5], SPLIT, 3.0), action_on(DAYS[25], SPLIT, 2.0)])
    assert len(checked(delivered(all_by(0.5), new_day=0.5), splits).prices) == 26
    held_neither = delivered(dict.fromkeys(range(5), 6.0) | dict.fromkeys(range(5, 25), 2.0)).iloc[:25]
    assert len(checked(delivered({}), splits, held_neither).prices) == 26


def test_a_split_applied_to_a_part_of_the_history_leaves_it_as_it_was():
    split = action_on(DAYS[25], SPLIT, 2.0)
    result = checked(delivered(all_by(0.5) | {3: 1.0}, new_day=0.5), split)
    assert result.quarantined["rule"].tolist() == ["restated-history"] * 25
    assert result.prices["observed_on"].tolist() == [pd.Timestamp(DAYS[25])]  # the split explains its own day


def test_each_symbol_is_compared_with_itself():
    line = closes_from(MONDAY, CLOSES[:25], "WPEA.PA")
    rows = pd.concat([delivered(all_by(100.0)), line], ignore_index=True)
    result = checked(rows, known=pd.concat([KNOWN, line], ignore_index=True))
    assert set(result.quarantined["symbol"]) == {"^GSPC"}
    assert result.prices[result.prices["symbol"] == "WPEA.PA"].reset_index(drop=True).equals(line)


def test_the_wholesale_change_is_one_finding():
    findings = [item for item in checked(delivered(all_by(100.0))).findings if item.rule == "restated-history"]
    assert [(item.severity, item.subject, item.value) for item in findings] == [(Severity.ERROR, "^GSPC", "25")]


def test_an_old_restated_row_is_a_warning():
    assert about(checked(delivered({9: 1.5}))) == [("warning", "restated", "close 151.35")]


factors = st.dictionaries(st.integers(0, 24), st.sampled_from([0.5, 0.98, 0.9996, 0.9999, 1.0, 1.01, 1.2, 100.0]))


@settings(deadline=None, max_examples=25)
@given(factors)
def test_a_row_is_set_aside_as_restated_by_a_plain_count(drawn: dict[int, float]):
    changed = [day for day, factor in drawn.items() if abs(log(factor)) > 0.0005]
    far = [day for day, factor in drawn.items() if abs(log(factor)) > 0.15]
    expected = list(range(25)) if len(changed) > 5 else sorted(far)  # 5 of 25 are 20 %
    quarantined = checked(delivered(drawn)).quarantined
    restated = quarantined[quarantined["rule"].isin(["restated", "restated-history"])]
    assert [DAYS.index(day.date()) for day in restated["observed_on"]] == expected


def test_dates_are_compared_not_places():
    later = delivered({}).iloc[20:].reset_index(drop=True)
    result = checked(later)
    assert result.prices["observed_on"].iloc[0] == pd.Timestamp(date(2024, 7, 2))
    assert about(result) == []
