from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation.limits import Limits, bind_limits, breaches
from portfolio.allocation.weights import from_bp, quantised
from portfolio.orders.sizing import distance, weights_of, whole_shares

LEVERAGED = frozenset({"C"})
RULES = Limits().rules(LEVERAGED)


def sized(target, value, **prices):
    return whole_shares(
        quantised(target), Decimal(value), {name: Decimal(str(price)) for name, price in prices.items()}, RULES
    )


def test_whole_shares_are_exact_when_prices_divide_the_target():
    assert sized({"A": 0.4, "B": 0.2, "CASH": 0.4}, 1000, A=40, B=50) == {"A": 10, "B": 4}


def test_whole_shares_give_the_remainder_to_the_largest_shortfall():
    # Wanted: A 350 EUR = 3.5 shares, B 320 EUR = 3.2 shares. A's 50 EUR are the larger shortfall; a share more for A
    # brings it as near from above and takes 50 EUR from the 70 EUR left in cash beyond target. Then B's would overdraw.
    assert sized({"A": 0.35, "B": 0.32, "CASH": 0.33}, 1000, A=100, B=100) == {"A": 4, "B": 3}


def test_whole_shares_pass_over_a_line_when_its_share_would_break_a_limit():
    # A 39 % of 1000 is 3.9 shares; the fourth is 40 %, allowed. At 101 EUR four are 40.4 %, refused.
    assert sized({"A": 0.39, "CASH": 0.61}, 1000, A=100) == {"A": 4}
    assert sized({"A": 0.39, "CASH": 0.61}, 1000, A=101) == {"A": 3}
    # C is leveraged: 29 % is 2.9 shares, three at 101 EUR are 30.3 %.
    assert sized({"C": 0.29, "CASH": 0.71}, 1000, C=101) == {"C": 2}


def test_whole_shares_leave_cash_at_its_floor_when_rounding_up_would_breach_it():
    # 30 % each is 2.94 shares; three of each are 91.8 %, which leaves 8.2 % of cash. Two lines are rounded up.
    assert sized({"A": 0.3, "B": 0.3, "D": 0.3, "CASH": 0.1}, 1000, A=102, B=102, D=102) == {"A": 3, "B": 3, "D": 2}


def test_whole_shares_hold_nothing_when_a_share_is_dearer_than_the_account():
    assert sized({"A": 0.4, "CASH": 0.6}, 100, A=1000) == {"A": 0}


@pytest.mark.parametrize("value", [0, -5])
def test_whole_shares_are_none_when_nothing_is_left(value):
    assert sized({"A": 0.4, "CASH": 0.6}, value, A=10) == {"A": 0}


@st.composite
def small_cases(draw):
    sizes = draw(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
    raw = {name: size / sum(sizes) for name, size in zip(("A", "B", "C", "CASH"), sizes, strict=True)}
    target = quantised(bind_limits(raw, RULES)[0], lambda rounded: not breaches(rounded, RULES))
    value = Decimal(draw(st.integers(100, 2000)))
    prices = {name: Decimal(draw(st.integers(20, 900))) for name in ("A", "B", "C")}
    return target, value, prices


def best_by_trying_all(target, value, prices):
    """Every combination of whole shares that keeps the limits, the closest to the target."""
    ranges = [range(int(value // prices[name]) + 1) for name in ("A", "B", "C")]
    tried = (dict(zip(("A", "B", "C"), counts, strict=True)) for counts in product(*ranges))
    distances = []
    for quantities in tried:
        weights = weights_of(quantities, value, prices)
        if weights["CASH"] >= 0 and not breaches(weights, RULES):
            distances.append(distance(weights, from_bp(target)))
    return min(distances)


@given(small_cases())
@settings(deadline=None, max_examples=150)
def test_whole_shares_come_within_a_share_of_the_best_there_is(case):
    target, value, prices = case

    quantities = whole_shares(target, value, prices, RULES)

    weights = weights_of(quantities, value, prices)
    dearest = float(max(prices.values()) / value)
    assert breaches(weights, RULES) == {}
    assert weights["CASH"] >= 0
    # A share too few is missing in its line and too much in cash: it counts twice.
    assert distance(weights, from_bp(target)) <= best_by_trying_all(target, value, prices) + 2 * dearest
    for name in ("A", "B", "C"):
        assert abs(quantities[name] * prices[name] - value * target[name] / 10_000) < prices[name]


@given(small_cases(), st.integers(2, 50))
@settings(deadline=None)
def test_whole_shares_are_no_fewer_when_only_the_account_grows(case, factor):
    target, value, prices = case

    small, large = (whole_shares(target, size, prices, RULES) for size in (value, value * factor))

    assert all(large[name] >= small[name] - 1 for name in small)


@given(small_cases())
@settings(deadline=None)
def test_whole_shares_reach_the_target_when_shares_are_small(case):
    target, value, _ = case
    cents = {name: Decimal("0.01") for name in ("A", "B", "C")}

    weights = weights_of(whole_shares(target, value, cents, RULES), value, cents)

    assert distance(weights, from_bp(target)) < 0.001
