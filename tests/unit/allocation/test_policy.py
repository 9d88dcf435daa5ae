import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation.limits import Limits, breaches
from portfolio.allocation.policy import DEFAULT_TABLES, Policy, blend, ensure_policy
from portfolio.errors import ModelError, SettingsError
from portfolio.universe import read_universe

TICKERS = ("A", "B")
TABLES = {
    "calm": {"A": 0.5, "B": 0.3, "CASH": 0.2},
    "neutral": {"A": 0.4, "CASH": 0.6},
    "stressed": {"A": 0.1, "CASH": 0.9},
}


def test_blend_is_probability_times_table_when_there_are_two_states():
    mixed = blend({"calm": 0.75, "stressed": 0.25}, TABLES)

    assert mixed == pytest.approx({"A": 0.4, "B": 0.225, "CASH": 0.375})


def test_blend_uses_all_tables_when_there_are_three_states():
    mixed = blend({"calm": 0.5, "neutral": 0.25, "stressed": 0.25}, TABLES)

    assert mixed == pytest.approx({"A": 0.375, "B": 0.15, "CASH": 0.475})


@pytest.mark.parametrize(
    ("probabilities", "said"),
    [
        ({"calm": 0.5, "stressed": 0.4}, "sum 1"),
        ({"calm": math.nan, "stressed": 1.0}, "calm nan"),
        ({"calm": 1.5, "stressed": -0.5}, "within 0..1"),
        ({"calm": 0.5, "storm": 0.5}, "'storm' has no table"),
        ({}, "sum 1"),
    ],
)
def test_blend_refuses_when_probabilities_are_not_ones(probabilities, said):
    with pytest.raises(ModelError, match=said):
        blend(probabilities, TABLES)


@given(st.floats(0, 1))
@settings(deadline=None)
def test_blend_keeps_the_default_limits_when_the_default_tables_are_mixed(calm):
    mixed = blend({"calm": calm, "stressed": 1 - calm}, DEFAULT_TABLES)

    assert breaches(mixed, Limits().rules(read_universe().leveraged)) == {}
    assert math.isclose(math.fsum(mixed.values()), 1, abs_tol=1e-12)


def test_default_policy_passes_when_checked_against_the_default_universe_and_limits():
    universe = read_universe()

    ensure_policy(Policy(), universe.tickers, Limits().rules(universe.leveraged))

    assert all(set(table) == {*universe.tickers, "CASH"} for table in DEFAULT_TABLES.values())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"A": 0.5, "CASH": 0.4}, "Weight table neutral (PORTFOLIO_WEIGHTS_NEUTRAL) sums to 0.9; it must sum to 1"),
        (
            {"A": 0.5, "X": 0.1, "CASH": 0.4},
            "Weight table neutral (PORTFOLIO_WEIGHTS_NEUTRAL): X is not in the universe",
        ),
        ({"A": -0.1, "CASH": 1.1}, "Weight table neutral (PORTFOLIO_WEIGHTS_NEUTRAL): A is -0.1"),
        ({"A": math.nan, "CASH": 1.0}, "Weight table neutral (PORTFOLIO_WEIGHTS_NEUTRAL): A is nan"),
        (
            {"A": 0.5, "CASH": 0.5},
            "Weight table neutral (PORTFOLIO_WEIGHTS_NEUTRAL) breaks the limit max-single-position: A is 50.0 %",
        ),
    ],
)
def test_ensure_policy_names_table_rule_and_value_when_a_table_is_wrong(table, said):
    tables = {**TABLES, "calm": {"A": 0.4, "B": 0.4, "CASH": 0.2}, "neutral": table}

    with pytest.raises(SettingsError, match=re.escape(said)):
        ensure_policy(Policy(tables), TICKERS, Limits().rules(frozenset()))


def test_ensure_policy_leaves_limits_to_bind_when_no_rules_are_given():
    ensure_policy(Policy(TABLES), TICKERS)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy({"calm": {"CASH": 1.0}}), "it needs calm, neutral, stressed"),
        (Policy(TABLES, dwell_sessions=-1), "dwell_sessions is -1"),
        (Policy(TABLES, band=math.nan), "band is nan"),
        (Policy(TABLES, band=1.5), "band is 1.5"),
    ],
)
def test_ensure_policy_refuses_when_policy_is_odd(policy, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        ensure_policy(policy, TICKERS)
