"""Terms go to the log and come back the same: a replay asks nothing of today's settings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from portfolio.day.terms import fees_of, fit_spec_of, terms_as_json, terms_from_json, terms_of
from portfolio.errors import SettingsError
from portfolio.settings import read_settings
from portfolio.universe import CASH, read_universe


@pytest.mark.parametrize("source", ["sample", "live"])
def test_terms_are_the_same_after_the_log(source):
    settings = read_settings(
        {"PORTFOLIO_SOURCE": source, "PORTFOLIO_FEATURES": "return_log_1d,slope", "PORTFOLIO_BAND": 0.031}
    )
    terms = terms_of(settings, read_universe())
    again = terms_from_json(json.loads(json.dumps(terms_as_json(terms))))
    assert again == terms
    assert again.macro_wanted == {"DGS10", "DGS2"}
    assert again.drivers == {"^GSPC", "^NDX"}


def test_sample_cannot_trade_the_line_it_has_no_series_for_and_live_can_trade_all():
    universe = read_universe()
    sample = terms_of(read_settings({"PORTFOLIO_SOURCE": "sample"}), universe)
    live = terms_of(read_settings({"PORTFOLIO_SOURCE": "live"}), universe)
    assert set(universe.tickers) - sample.tradable == {"PAEEM.PA"}
    assert sample.reconstructed == sample.priced == sample.tradable
    assert "PAEEM.PA" not in sample.watched.tickers
    assert live.tradable == set(universe.tickers)
    assert live.reconstructed == frozenset()


def test_line_that_a_pea_may_not_hold_is_priced_and_not_targeted():
    universe = read_universe()
    barred = tuple(
        item.model_copy(update={"pea_eligible": False}) if item.ticker == "LQQ.PA" else item
        for item in universe.instruments
    )
    terms = terms_of(read_settings(), replace(universe, instruments=barred))
    assert "LQQ.PA" in terms.priced
    assert "LQQ.PA" not in terms.tradable


def test_terms_are_refused_when_a_table_names_a_ticker_of_no_universe():
    settings = read_settings({"PORTFOLIO_WEIGHTS_NEUTRAL": {"CW8.PA": 0.5, CASH: 0.5}})
    with pytest.raises(SettingsError, match=r"PORTFOLIO_WEIGHTS_NEUTRAL\): CW8.PA is not in the universe"):
        terms_of(settings, read_universe())


def test_fit_and_fees_follow_the_settings():
    settings = read_settings(
        {
            "PORTFOLIO_STATES": 3,
            "PORTFOLIO_STARTS": 0,
            "PORTFOLIO_GATE_MAX_STRESSED": 0.5,
            "PORTFOLIO_FEE_RATE": "0.001",
        }
    )
    spec = fit_spec_of(settings, read_universe())
    assert spec.drivers == ("^GSPC", "^NDX")
    assert (spec.states, spec.number_of_starts, spec.gates.max_stressed_occupancy) == (3, 40, 0.5)
    assert str(fees_of(settings).rate) == "0.001"
