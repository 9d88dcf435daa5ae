import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation.limits import Limits, bind_limits, breaches
from portfolio.allocation.weights import all_cash, from_bp, ordered, percent, quantised

LEVERAGED = frozenset({"D", "E"})


@st.composite
def any_weights(draw):
    sizes = draw(st.lists(st.floats(0, 1), min_size=6, max_size=6).filter(lambda values: sum(values) > 1e-3))
    total = math.fsum(sizes)
    return {name: size / total for name, size in zip(("A", "B", "C", "D", "E", "CASH"), sizes, strict=True)}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"A": 0.28, "B": 0.12, "CASH": 0.60}, {"A": 2800, "B": 1200, "CASH": 6000}),
        # 3333.33.. three times: one point is missing, the tie goes to CASH.
        ({"A": 1 / 3, "B": 1 / 3, "CASH": 1 / 3}, {"A": 3333, "B": 3333, "CASH": 3334}),
        # Two points are missing (remainders .6 .7 .7): B and CASH have the largest.
        ({"A": 0.33336, "B": 0.33337, "CASH": 0.33327}, {"A": 3333, "B": 3334, "CASH": 3333}),
        ({"A": 0.29999999999999993, "CASH": 0.7000000000000001}, {"A": 3000, "CASH": 7000}),
        ({"CASH": 1.0}, {"CASH": 10_000}),
        ({"A": 1.0}, {"A": 10_000, "CASH": 0}),
    ],
)
def test_quantised_gives_missing_points_to_the_largest_remainders(weights, expected):
    assert quantised(weights) == expected


def test_quantised_leaves_the_point_in_cash_when_it_would_break_a_limit():
    rules = Limits(max_single_position=0.33337).rules(frozenset())
    weights = {"A": 0.33337, "B": 0.33337, "CASH": 0.33326}

    assert quantised(weights) == {"A": 3334, "B": 3334, "CASH": 3332}
    kept = quantised(weights, lambda rounded: not breaches(rounded, rules))
    assert kept == {"A": 3333, "B": 3333, "CASH": 3334}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"A": math.nan, "CASH": 1.0}, "A is nan"),
        ({"A": -0.1, "CASH": 1.1}, "A is -0.1"),
        ({"A": math.inf}, "A is inf"),
        ({"A": 0.5, "CASH": 0.4}, "sum to 0.9"),
    ],
)
def test_quantised_refuses_when_weights_are_not_weights(weights, said):
    with pytest.raises(ValueError, match=said):
        quantised(weights)


@given(any_weights())
@settings(deadline=None)
def test_quantised_sums_to_whole_and_stays_within_a_point_of_each_line(weights):
    points = quantised(weights)

    assert sum(points.values()) == 10_000
    assert min(points.values()) >= 0
    assert all(abs(points[name] - weight * 10_000) < 1 + 1e-5 for name, weight in weights.items())
    assert quantised(from_bp(points)) == points


@given(any_weights(), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_quantised_keeps_every_limit_that_the_weights_keep(weights, single, leveraged, cash):
    rules = Limits(single, leveraged, cash).rules(LEVERAGED)
    kept, _ = bind_limits(weights, rules)

    points = quantised(kept, lambda rounded: not breaches(rounded, rules))

    assert breaches(from_bp(points), rules) == {}


def test_from_bp_gives_the_float_a_person_would_type():
    assert from_bp({"A": 2837, "CASH": 7163}) == {"A": 0.2837, "CASH": 0.7163}


def test_ordered_follows_the_universe_then_other_lines_then_cash():
    arranged = ordered({"CASH": 0.5, "ZZ": 0.1, "YY": 0.0, "B": 0.4}, ("A", "B"))

    assert list(arranged.items()) == [("A", 0.0), ("B", 0.4), ("ZZ", 0.1), ("CASH", 0.5)]


def test_all_cash_names_every_ticker():
    assert all_cash(("A", "B")) == {"A": 0.0, "B": 0.0, "CASH": 1.0}


@pytest.mark.parametrize(("weight", "shown"), [(0.28, "28.0 %"), (0.2837, "28.37 %"), (0.0, "0.0 %"), (1.0, "100.0 %")])
def test_percent_shows_the_second_decimal_only_when_it_says_something(weight, shown):
    assert percent(weight) == shown
