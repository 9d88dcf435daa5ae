from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.report import svg
from portfolio.report.regime_chart import regime_charts, regime_table, weekly
from portfolio.report.weights_chart import WeightRow, weights_chart


def numbers_in(path: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", path)]


def test_line_path_is_interrupted_where_a_value_is_missing():
    x = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    y = np.array([5.0, 6.25, math.nan, 7.0, 8.0])
    assert svg.line_path(x, y) == "M0 5L1 6.2M3 7L4 8"


def test_band_path_goes_there_and_back():
    x, upper, lower = np.array([0.0, 1.0]), np.array([3.0, 4.0]), np.array([9.0, 9.0])
    assert svg.band_path(x, upper, lower) == "M0 3L1 4L1 9L0 9Z"
    assert svg.band_path(x, upper, lower * math.nan) == ""


def test_scale_places_the_geometric_middle_in_the_middle_when_logarithmic():
    scale = svg.Scale(1.0, 100.0, 200.0, 0.0, log=True)
    assert [scale.at(value) for value in (1.0, 10.0, 100.0)] == pytest.approx([200.0, 100.0, 0.0])


@settings(deadline=None)
@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-3, 1e6),
    wanted=st.integers(2, 12),
)
def test_ticks_are_inside_evenly_spaced_and_about_as_many_as_wanted(low, span, wanted):
    values = svg.ticks(low, low + span, wanted)
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= value <= low + span + slack for value in values)
    assert len(values) <= wanted + 1
    assert len(values) >= wanted // 2.5 - 1
    steps = [later - earlier for earlier, later in pairwise(values)]
    assert steps == pytest.approx([svg.round_step(span, wanted)] * len(steps), rel=1e-6, abs=slack)


def test_log_ticks_are_one_two_five_over_decades_and_straight_over_a_short_range():
    assert svg.log_ticks(80, 2500, 4) == [100, 200, 500, 1000, 2000]
    assert svg.log_ticks(160, 310, 4) == [200, 250, 300]


def test_weekly_keeps_the_last_session_of_each_week_unchanged():
    days = pd.to_datetime(["2018-12-20", "2018-12-21", "2018-12-24", "2018-12-27", "2018-12-31"])
    table = pd.DataFrame({"driver": [1.0, 2.0, 3.0, 4.0, 5.0]}, index=days)
    kept = weekly(table)
    assert kept["driver"].tolist() == [2.0, 4.0, 5.0]
    assert kept.index.tolist() == [days[1], days[3], days[4]]


def test_regime_table_fills_nothing(make_regime):
    regime = make_regime(sessions=4)
    driver = regime.driver.copy()
    driver.iloc[1] = -5.0
    table = regime_table(replace(regime, driver=driver.drop(driver.index[2])))
    assert table["driver"].isna().tolist() == [False, True, True, False]
    assert table["state:stressed"].tolist() == regime.history["stressed"].tolist()


def test_regime_chart_draws_the_probability_it_was_given(make_regime):
    regime = make_regime(sessions=3)
    regime.history.loc[:, "stressed"] = [0.0, 0.25, 1.0]
    (chart,) = regime_charts(regime)
    paths = re.findall(r'class="series stressed" d="([^"]*)"', chart.drawings)
    assert len(paths) == 2  # wide and narrow
    for path in paths:
        heights = numbers_in(path)[1::2]
        bottom, middle, top = heights
        assert (bottom - middle) / (bottom - top) == pytest.approx(0.25, abs=0.001)
    assert "100.0\u00a0% on the last day" in chart.drawings


def test_regime_charts_are_the_last_three_years_and_everything(make_regime):
    recent, full = regime_charts(make_regime())
    assert "1\u00a0Jan\u00a02016 to 31\u00a0Dec\u00a02018 (every session)" in recent.caption
    assert "(last session of each week)" in full.caption


@pytest.mark.parametrize("sessions", [0, 1])
def test_regime_charts_are_left_out_when_there_is_no_line_to_draw(make_regime, sessions):
    regime = make_regime(sessions=2)
    short = replace(regime, history=regime.history.iloc[:sessions])
    assert regime_charts(short) == []
    assert regime_charts(None) == []


def test_regime_charts_survive_gaps_and_missing_series(make_regime):
    regime = make_regime(sessions=300)
    unknown = pd.Series(dtype="float64")
    (chart,) = regime_charts(replace(regime, driver=unknown, vol_annual=unknown))
    assert "nan" not in chart.drawings
    assert "Realised volatility" not in chart.drawings
    (still,) = regime_charts(replace(regime, vol_annual=regime.vol_annual * 0, driver=regime.driver * 0 + 7))
    assert "nan" not in still.drawings


def test_regime_chart_shades_only_days_on_which_stressed_is_likelier_than_not(make_regime):
    regime = make_regime(sessions=6)
    regime.history.loc[:, "stressed"] = [0.4, 0.6, 0.7, 0.3, 0.2, 0.1]
    (chart,) = regime_charts(regime)
    assert chart.drawings.count('class="shade"') == 2  # one run, drawn wide and narrow


def test_weights_chart_draws_bars_in_proportion_and_marks_the_target():
    rows = [WeightRow("AAA", "", held=0.2, target=0.3, after=0.1, before=None)]
    drawing = str(weights_chart(rows, ()))
    wide = drawing.split("</svg>", maxsplit=1)[0]
    widths = dict(re.findall(r'<rect class="(held|after)"[^>]* width="([^"]*)"', wide))
    held, after = float(widths["held"]), float(widths["after"])
    assert held / after == pytest.approx(2, rel=0.01)
    assert "AAA: held 20.00\u00a0%, after orders 10.00\u00a0%, target 30.00\u00a0%" in drawing


def test_weights_chart_axis_ends_at_the_whole_account():
    rows = [WeightRow("CASH", "", held=1.0, target=0.6, after=0.6, before=None)]
    ticks = re.findall(r'<text class="tick"[^>]*>([^<]*)<', weights_chart(rows, ()).split("</svg>")[0])
    assert ticks == [f"{value}\u00a0%" for value in (0, 20, 40, 60, 80, 100)]


def test_weights_chart_has_no_planned_bar_without_a_plan():
    rows = [WeightRow("AAA", "", held=0.2, target=0.2, after=None, before=None)]
    assert 'class="after"' not in weights_chart(rows, (), "kept")
