import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation.decide import DecisionInput, PreviousTarget, decide
from portfolio.allocation.limits import Limits, breaches
from portfolio.allocation.policy import DEFAULT_TABLES, Policy
from portfolio.errors import ModelError
from portfolio.findings import Finding, Severity
from portfolio.universe import read_universe

UNIVERSE = read_universe()
TICKERS = UNIVERSE.tickers
SESSION = date(2019, 1, 2)
EARLIER = date(2018, 12, 20)
CALM = {"calm": 1.0, "stressed": 0.0}
NEUTRAL_WEIGHTS = DEFAULT_TABLES["neutral"]

FIRST = DecisionInput(
    session=SESSION,
    universe=UNIVERSE,
    policy=Policy(),
    limits=Limits(),
    tradable=frozenset(TICKERS),
    probabilities={"calm": 0.5, "stressed": 0.5},
    model_id="abc",
)


def following(weights, sessions, **changes):
    return replace(FIRST, previous=PreviousTarget(EARLIER, weights, sessions), **changes)


def test_decide_takes_the_blend_when_it_is_the_first_target():
    decision = decide(FIRST)

    assert decision.decision == "TARGET"
    # The means of the calm and the stressed table.
    assert decision.weights == {
        "WPEA.PA": 0.28,
        "PE500.PA": 0.16,
        "PUST.PA": 0.06,
        "PAEEM.PA": 0.02,
        "LQQ.PA": 0.055,
        "CL2.PA": 0.055,
        "CASH": 0.37,
    }
    assert decision.changed
    assert decision.model_id == "abc"
    assert decision.reasons == (
        "Regime: calm 50.0 %, stressed 50.0 % (filtered probabilities).",
        "This is the first target: there is none to compare with.",
    )


def test_decide_uses_the_neutral_table_and_says_why_when_no_model_is_trusted():
    decision = decide(replace(FIRST, probabilities=None, fallback_reason="every fit failed its gates"))

    assert decision.weights == NEUTRAL_WEIGHTS
    assert decision.probabilities is None
    assert "neutral table" in decision.reasons[0]
    assert "every fit failed its gates" in decision.reasons[0]


def test_decide_moves_a_share_to_cash_when_its_ticker_has_no_price():
    decision = decide(replace(FIRST, probabilities=CALM, tradable=frozenset(TICKERS) - {"PAEEM.PA"}))

    assert decision.weights["PAEEM.PA"] == 0
    assert decision.weights["CASH"] == 0.18  # 14 + 4
    assert "PAEEM.PA is not tradable here: its 4.0 % goes to CASH." in decision.reasons


def test_decide_says_nothing_of_an_untradable_ticker_when_it_is_not_targeted():
    decision = decide(
        replace(FIRST, probabilities={"calm": 0.0, "stressed": 1.0}, tradable=frozenset(TICKERS) - {"PAEEM.PA"})
    )

    assert not any("PAEEM" in reason for reason in decision.reasons)


def test_decide_names_reconstructed_prices_when_they_are_targeted():
    decision = decide(replace(FIRST, reconstructed=frozenset({"LQQ.PA", "CL2.PA"})))

    assert "Prices of LQQ.PA, CL2.PA are reconstructed, not quoted." in decision.reasons


def test_decide_reports_the_limits_that_bound_when_settings_are_tighter_than_the_tables():
    decision = decide(replace(FIRST, probabilities=CALM, limits=Limits(max_single_position=0.25)))

    assert decision.weights["WPEA.PA"] == 0.25
    assert decision.weights["CASH"] == 0.17
    assert decision.limits_bound == ("max-single-position: WPEA.PA from 28.0 % cut to 25.0 %, the rest to CASH",)
    assert f"Limit {decision.limits_bound[0]}." in decision.reasons


@pytest.mark.parametrize(("sessions", "kept"), [(0, True), (4, True), (5, False), (6, False)])
def test_decide_keeps_the_target_when_it_is_younger_than_the_dwell(sessions, kept):
    decision = decide(following(NEUTRAL_WEIGHTS, sessions, probabilities=CALM))

    assert (decision.weights == NEUTRAL_WEIGHTS) is kept
    assert decision.changed is not kept
    assert decision.desired == DEFAULT_TABLES["calm"]
    assert (
        any(f"it is {sessions} sessions old and stays 5 sessions at least" in reason for reason in decision.reasons)
        is kept
    )


def test_decide_shows_each_line_that_changed_when_the_target_changes():
    decision = decide(following(NEUTRAL_WEIGHTS, 9, probabilities=CALM))

    assert decision.reasons[-1] == (
        "Changed since 2018-12-20: WPEA.PA 34.0 % -> 28.0 %, PUST.PA 10.0 % -> 12.0 %, PAEEM.PA 6.0 % -> 4.0 %, "
        "LQQ.PA 5.0 % -> 11.0 %, CL2.PA 5.0 % -> 11.0 %, CASH 20.0 % -> 14.0 %."
    )


@pytest.mark.parametrize(("calm", "kept"), [(0.7926, True), (0.7917, False), (0.5, False), (1.0, True)])
def test_decide_keeps_the_target_when_every_line_is_within_the_band(calm, kept):
    # PUST moves most: 12 % x 0.7926 is 9.51 %, 2.49 points away; 12 % x 0.7917 is 9.50 %, the band exactly.
    decision = decide(following(DEFAULT_TABLES["calm"], 99, probabilities={"calm": calm, "stressed": 1 - calm}))

    assert (decision.weights == DEFAULT_TABLES["calm"]) is kept


def test_decide_gives_line_and_figures_when_the_band_keeps_the_target():
    decision = decide(following(DEFAULT_TABLES["calm"], 99, probabilities={"calm": 0.9, "stressed": 0.1}))

    assert decision.reasons[-1] == (
        "The target of 2018-12-20 stays: the largest difference is 1.2 points on PUST.PA, under the band of 2.5 points."
    )


def test_decide_overrides_dwell_and_band_when_the_target_in_force_breaks_a_limit():
    too_much = {"WPEA.PA": 0.30, "CASH": 0.70}
    tighter = Limits(max_single_position=0.29)

    decision = decide(following(too_much, 0, probabilities=CALM, limits=tighter))

    assert decision.weights == DEFAULT_TABLES["calm"]
    assert decision.changed
    assert any("cannot stay: WPEA.PA is 30.0 %, one position may be 29.0 %" in reason for reason in decision.reasons)


def test_decide_overrides_dwell_when_a_ticker_in_force_lost_its_price():
    decision = decide(following(NEUTRAL_WEIGHTS, 0, tradable=frozenset(TICKERS) - {"PUST.PA"}))

    assert decision.weights["PUST.PA"] == 0
    assert any("cannot stay: PUST.PA is not tradable here" in reason for reason in decision.reasons)


def test_decide_overrides_dwell_when_a_ticker_in_force_left_the_universe():
    decision = decide(following({"GONE.PA": 0.1, "CASH": 0.9}, 0))

    assert "GONE.PA" not in decision.weights
    assert "GONE.PA 10.0 % -> 0.0 %" in decision.reasons[-1]


BLOCKER = Finding(Severity.ERROR, "stale-series", "^GSPC", "^GSPC ends on 2018-12-24: update the prices.", SESSION)


def test_decide_holds_what_is_held_when_the_day_is_blocked():
    holdings = {"WPEA.PA": 0.31237, "CASH": 0.68763}

    decision = decide(following(NEUTRAL_WEIGHTS, 99, blocking=(BLOCKER,), holdings=holdings))

    assert decision.decision == "HOLD"
    assert decision.weights["WPEA.PA"] == 0.3124
    assert decision.weights["CASH"] == 0.6876
    assert decision.reasons == (BLOCKER.message,)
    assert not decision.changed


def test_decide_holds_cash_when_the_day_is_blocked_and_nothing_is_known_to_be_held():
    decision = decide(replace(FIRST, blocking=(BLOCKER,), probabilities=None))

    assert decision.weights["CASH"] == 1
    assert sum(decision.weights.values()) == 1


@pytest.mark.parametrize("blocking", [(), (BLOCKER,)])
def test_decide_warns_of_drift_beyond_a_limit_whatever_the_decision(blocking):
    holdings = {"WPEA.PA": 0.45, "LQQ.PA": 0.35, "CASH": 0.20}

    decision = decide(following(NEUTRAL_WEIGHTS, 1, holdings=holdings, blocking=blocking))

    assert [(finding.severity, finding.rule, finding.value) for finding in decision.findings] == [
        (Severity.WARNING, "drift-beyond-limit", "WPEA.PA is 45.0 %, one position may be 40.0 % at most"),
        (
            Severity.WARNING,
            "drift-beyond-limit",
            "leveraged ETFs together are 35.0 %, they may be 30.0 % at most",
        ),
    ]
    assert {finding.message for finding in decision.findings} <= set(decision.reasons)


def test_decide_refuses_when_probabilities_are_not_numbers():
    with pytest.raises(ModelError):
        decide(replace(FIRST, probabilities={"calm": math.nan, "stressed": 0.5}))


@st.composite
def any_day(draw):
    calm = draw(st.floats(0, 1))
    sizes = draw(st.lists(st.integers(0, 1000), min_size=7, max_size=7).filter(any))
    before = {name: size / sum(sizes) for name, size in zip((*TICKERS, "CASH"), sizes, strict=True)}
    previous = draw(st.sampled_from([None, PreviousTarget(EARLIER, before, draw(st.integers(0, 9)))]))
    return replace(
        FIRST,
        probabilities=draw(st.sampled_from([None, {"calm": calm, "stressed": 1 - calm}])),
        limits=Limits(draw(st.floats(0, 1)), draw(st.floats(0, 1)), draw(st.floats(0, 1))),
        tradable=frozenset(draw(st.sets(st.sampled_from(TICKERS)))),
        previous=previous,
    )


@given(any_day())
@settings(deadline=None)
def test_decide_keeps_limits_tradability_and_sum_for_every_target(day):
    decision = decide(day)

    assert sum(round(weight * 10_000) for weight in decision.weights.values()) == 10_000
    assert all(weight == round(weight * 10_000) / 10_000 for weight in decision.weights.values())
    assert breaches(decision.weights, day.limits.rules(UNIVERSE.leveraged)) == {}
    assert {ticker for ticker, weight in decision.weights.items() if weight} <= {*day.tradable, "CASH"}
    assert list(decision.weights) == [*TICKERS, "CASH"]
    assert decide(day) == decision
