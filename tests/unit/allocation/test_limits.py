import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation.limits import Limits, MaxLeveraged, MaxSinglePosition, MinCash, bind_limits, breaches
from portfolio.errors import ExitCode, SettingsError

LEVERAGED = frozenset({"D", "E"})
NAMES = ("A", "B", "C", "D", "E", "CASH")


@st.composite
def any_weights(draw):
    sizes = draw(st.lists(st.floats(0, 1), min_size=6, max_size=6).filter(lambda values: sum(values) > 1e-3))
    return {name: size / math.fsum(sizes) for name, size in zip(NAMES, sizes, strict=True)}


fractions = st.floats(0, 1)


def test_max_single_position_gives_what_it_cuts_to_cash_when_a_line_is_above():
    weights, cut = MaxSinglePosition(0.4).bind({"A": 0.5, "B": 0.3, "CASH": 0.2})

    assert weights == pytest.approx({"A": 0.4, "B": 0.3, "CASH": 0.3})
    assert cut == "A from 50.0 % cut to 40.0 %, the rest to CASH"


def test_max_single_position_exempts_cash():
    limit = MaxSinglePosition(0.4)

    assert limit.bind({"A": 0.1, "CASH": 0.9}) == ({"A": 0.1, "CASH": 0.9}, None)
    assert limit.breach({"A": 0.1, "CASH": 0.9}) is None
    assert limit.breach({"A": 0.45, "CASH": 0.55}) == "A is 45.0 %, one position may be 40.0 % at most"


def test_max_leveraged_cuts_in_proportion_when_the_sum_is_above():
    limit = MaxLeveraged(0.3, LEVERAGED)

    weights, cut = limit.bind({"A": 0.3, "D": 0.4, "E": 0.2, "CASH": 0.1})

    assert weights == pytest.approx({"A": 0.3, "D": 0.2, "E": 0.1, "CASH": 0.4})
    assert cut == "leveraged ETFs together from 60.0 % cut to 30.0 %, the rest to CASH"
    assert limit.breach({"D": 0.2, "E": 0.15, "CASH": 0.65}) == (
        "leveraged ETFs together are 35.0 %, they may be 30.0 % at most"
    )


def test_min_cash_cuts_every_line_in_proportion_when_cash_is_short():
    limit = MinCash(0.1)

    weights, cut = limit.bind({"A": 0.75, "B": 0.25, "CASH": 0.0})

    assert weights == pytest.approx({"A": 0.675, "B": 0.225, "CASH": 0.1})
    assert cut == "CASH raised from 0.0 % to 10.0 %, every line cut in proportion"
    assert limit.breach({"A": 0.95, "CASH": 0.05}) == "CASH is 5.0 %, it must be 10.0 % at least"


def test_limits_bind_nothing_when_weights_stand_exactly_at_them():
    at_the_limits = {"A": 0.4, "B": 0.2, "D": 0.2, "E": 0.1, "CASH": 0.1}

    weights, bound = bind_limits(at_the_limits, Limits().rules(LEVERAGED))

    assert weights == at_the_limits
    assert bound == ()


def test_bind_limits_names_each_limit_that_bound_in_order():
    rules = Limits(0.4, 0.3, 0.5).rules(LEVERAGED)

    weights, bound = bind_limits({"A": 0.6, "D": 0.4, "CASH": 0.0}, rules)

    # A 60 -> 40, D 40 -> 30, so lines are 70 % and shrink by 5/7 until CASH is half.
    assert weights == pytest.approx({"A": 0.4 * 5 / 7, "D": 0.3 * 5 / 7, "CASH": 0.5})
    assert [text.split(":")[0] for text in bound] == ["max-single-position", "max-leveraged", "min-cash"]


@given(any_weights(), fractions, fractions, fractions)
@settings(deadline=None)
def test_bind_limits_keeps_all_limits_and_never_raises_a_line(weights, single, leveraged, cash):
    rules = Limits(single, leveraged, cash).rules(LEVERAGED)

    kept, bound = bind_limits(weights, rules)

    assert breaches(kept, rules) == {}
    assert math.isclose(math.fsum(kept.values()), 1, abs_tol=1e-9)
    assert all(kept[name] <= weights[name] + 1e-12 for name in NAMES if name != "CASH")
    assert bool(bound) == bool(breaches(weights, rules))
    assert bind_limits(kept, rules) == (kept, ())


@given(any_weights(), any_weights(), fractions)
@settings(deadline=None)
def test_limits_hold_for_every_mix_when_they_hold_for_both(first, second, share):
    rules = Limits().rules(LEVERAGED)
    one, other = bind_limits(first, rules)[0], bind_limits(second, rules)[0]

    mixed = {name: share * one[name] + (1 - share) * other[name] for name in NAMES}

    assert breaches(mixed, rules) == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.01, 1.2, "0.4", None])
@pytest.mark.parametrize("name", ["max_single_position", "max_leveraged", "min_cash"])
def test_limits_refuse_when_a_value_is_no_fraction(name, value):
    with pytest.raises(SettingsError, match=f"The limit {name} is .*from 0 to 1") as refused:
        Limits(**{name: value})

    assert refused.value.exit_code == ExitCode.USAGE
