"""The feature table: values by hand or by the standard library, causality to the byte."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.errors import SettingsError
from portfolio.features.build import build_features
from portfolio.features.spec import FEATURE_NAMES, FeatureSpec

RETURN_ONLY = FeatureSpec(("A", "B"), ("return_log_1d",))
BOTH = FeatureSpec(("A", "B"))
ALL = FeatureSpec(("A", "B"), FEATURE_NAMES)
NO_MACRO = pd.DataFrame()


def days(number: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2018-01-01", periods=number, name="observed_on")


def random_closes(seed: int, number: int) -> pd.DataFrame:
    steps = np.random.default_rng(seed).normal(0, 0.01, (number, 2))
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=days(number), columns=["A", "B"])


def random_macro(seed: int, number: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    values = generator.uniform(1, 30, (number, 4))
    values[generator.random((number, 4)) < 0.2] = np.nan
    return pd.DataFrame(values, index=days(number), columns=["VIXCLS", "DGS10", "DGS2", "BAA10Y"])


def with_later_noise(frame: pd.DataFrame, known: int, noise: np.ndarray) -> pd.DataFrame:
    other = pd.DataFrame(noise, index=frame.index, columns=frame.columns)
    return pd.concat([frame.iloc[:known], other.iloc[known:]])


def test_return_is_the_mean_of_the_drivers_log_returns():
    closes = pd.DataFrame({"A": [100.0, 110.0, 99.0], "B": [10.0, 10.0, 20.0]}, index=days(3))

    table = build_features(closes, NO_MACRO, RETURN_ONLY)

    assert table.columns.tolist() == ["return_log_1d"]
    assert table.index.tolist() == closes.index[1:].tolist()
    expected = [math.log(1.1) / 2, (math.log(0.9) + math.log(2)) / 2]
    assert table["return_log_1d"].tolist() == pytest.approx(expected, rel=1e-13)


def test_log_volatility_equals_the_standard_library_on_each_window():
    closes = random_closes(seed=1, number=120)
    returns = build_features(closes, NO_MACRO, RETURN_ONLY)["return_log_1d"].tolist()

    table = build_features(closes, NO_MACRO, BOTH)

    expected = [math.log(statistics.stdev(returns[i - 20 : i + 1]) * math.sqrt(252)) for i in range(20, len(returns))]
    assert table["log_vol_21d"].tolist() == pytest.approx(expected, rel=1e-12)
    assert table.index[0] == closes.index[21]  # 21 returns need 22 closes


def test_log_volatility_keeps_its_digits_when_a_huge_return_has_left_the_window():
    closes = random_closes(seed=2, number=90)
    closes.iloc[40:] *= 1e12  # an online update would keep a residue of this for ever

    table = build_features(closes, NO_MACRO, BOTH)

    returns = table["return_log_1d"].tolist()
    expected = math.log(statistics.stdev(returns[-21:]) * math.sqrt(252))
    assert table["log_vol_21d"].iloc[-1] == pytest.approx(expected, rel=1e-13)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), number=st.integers(30, 120), data=st.data())
def test_rows_up_to_t_keep_every_byte_when_all_later_values_are_noise(seed: int, number: int, data: st.DataObject):
    known = data.draw(st.integers(1, number), label="rows known")
    closes, macro = random_closes(seed, number), random_macro(seed + 1, number)
    noise = np.random.default_rng(seed + 2)
    other_closes = with_later_noise(closes, known, noise.uniform(1, 1e6, (number, 2)))
    other_macro = with_later_noise(macro, known, noise.uniform(-1e6, 1e6, (number, 4)))
    last = closes.index[known - 1]

    for spec in (BOTH, ALL):
        table = build_features(closes, macro, spec).loc[:last]
        alone = build_features(closes.iloc[:known], macro.iloc[:known], spec)
        noised = build_features(other_closes, other_macro, spec).loc[:last]

        assert table.index.equals(alone.index)
        assert table.index.equals(noised.index)
        assert table.to_numpy().tobytes() == alone.to_numpy().tobytes() == noised.to_numpy().tobytes()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), dropped=st.integers(1, 60))
def test_rows_keep_every_byte_when_the_history_starts_later(seed: int, dropped: int):
    closes = random_closes(seed, 120)

    whole, later = (build_features(frame, NO_MACRO, BOTH) for frame in (closes, closes.iloc[dropped:]))

    assert later.to_numpy().tobytes() == whole.loc[later.index[0] :].to_numpy().tobytes()


def test_return_spans_the_gap_when_a_driver_has_no_close_on_a_day():
    closes = pd.DataFrame({"A": [100.0, 200.0, 400.0], "B": [10.0, np.nan, 10.0]}, index=days(3))

    table = build_features(closes, NO_MACRO, RETURN_ONLY)

    assert table.index.tolist() == [closes.index[2]]
    assert table["return_log_1d"].tolist() == pytest.approx([math.log(4) / 2])


def test_rows_are_left_out_when_prices_are_constant_for_a_window():
    closes = random_closes(seed=3, number=100)
    closes.iloc[30:60] = [123.456, 78.9]  # returns of rows 31..59 are 0, so windows ending at 51..59 are constant

    table = build_features(closes, NO_MACRO, BOTH)

    left_out = closes.index[21:].difference(table.index)
    assert left_out.tolist() == closes.index[51:60].tolist()
    assert np.isfinite(table.to_numpy()).all()


def test_macro_value_is_carried_three_sessions_and_no_more():
    closes = random_closes(seed=4, number=8)
    macro = pd.DataFrame({"VIXCLS": [20.0, np.nan, 30.0]}, index=closes.index[[1, 2, 7]])

    table = build_features(closes, macro, FeatureSpec(("A", "B"), ("vix",)))

    assert table.index.tolist() == closes.index[[1, 2, 3, 4, 7]].tolist()
    assert table["vix"].tolist() == [20.0, 20.0, 20.0, 20.0, 30.0]


def test_macro_value_known_on_a_day_without_prices_serves_the_next_session():
    closes = random_closes(seed=5, number=8)
    saturday = pd.Timestamp("2018-01-06")
    macro = pd.DataFrame({"BAA10Y": [1.5]}, index=[saturday])

    table = build_features(closes, macro, FeatureSpec(("A", "B"), ("baa10y",)))

    assert table.index.tolist() == closes.index[5:8].tolist()  # Monday 8 January and the two after it


def test_slope_takes_both_yields_from_the_same_row():
    closes = random_closes(seed=6, number=3)
    macro = pd.DataFrame({"DGS10": [3.0, 3.5, 4.0], "DGS2": [2.0, np.nan, 1.0]}, index=closes.index)

    table = build_features(closes, macro, FeatureSpec(("A", "B"), ("slope",)))

    assert table["slope"].tolist() == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    "macro",
    [NO_MACRO, pd.DataFrame({"DGS10": [1.0]}, index=days(1)), pd.DataFrame({"VIXCLS": [np.nan]}, index=days(1))],
)
def test_table_is_empty_when_a_wanted_series_was_never_known(macro: pd.DataFrame):
    table = build_features(random_closes(seed=7, number=30), macro, FeatureSpec(("A", "B"), ("return_log_1d", "vix")))

    assert table.empty
    assert table.columns.tolist() == ["return_log_1d", "vix"]


@pytest.mark.parametrize("number", [0, 1, 2, 21])
def test_table_is_empty_when_the_history_is_too_short(number: int):
    assert build_features(random_closes(seed=8, number=number), NO_MACRO, BOTH).empty


def test_columns_stand_in_the_order_asked_for():
    spec = FeatureSpec(("A", "B"), ("log_vol_21d", "return_log_1d"))

    assert build_features(random_closes(seed=9, number=40), NO_MACRO, spec).columns.tolist() == list(spec.names)


def test_frames_given_are_not_modified():
    closes, macro = random_closes(seed=10, number=60), random_macro(seed=11, number=60)
    before = closes.copy(), macro.copy()

    build_features(closes, macro, ALL)

    pd.testing.assert_frame_equal(closes, before[0])
    pd.testing.assert_frame_equal(macro, before[1])


@pytest.mark.parametrize("close", [0.0, -1.0, np.inf])
def test_build_refuses_when_a_close_is_not_positive_and_finite(close: float):
    closes = random_closes(seed=12, number=30)
    closes.iloc[4, 1] = close

    with pytest.raises(ValueError, match=r"positive and finite.*2018-01-05"):
        build_features(closes, NO_MACRO, BOTH)


def test_build_refuses_when_a_driver_has_no_column():
    with pytest.raises(ValueError, match="no column 'C'"):
        build_features(random_closes(seed=13, number=30), NO_MACRO, FeatureSpec(("A", "C")))


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 0, 1]])
def test_build_refuses_when_the_days_are_not_in_order_or_repeat(order: list[int]):
    closes = random_closes(seed=14, number=3).iloc[order]

    with pytest.raises(ValueError, match="increasing and unique"):
        build_features(closes, NO_MACRO, BOTH)


@pytest.mark.parametrize(
    ("drivers", "names", "seen"),
    [
        (("A",), ("return_log_1d", "rsi"), "'rsi' does not exist"),
        (("A",), (), "features must be at least one"),
        (("A",), ("vix", "vix"), "features must be at least one and each named once"),
        ((), ("vix",), "drivers must be at least one"),
    ],
)
def test_spec_refuses_when_a_list_is_empty_repeats_or_names_the_unknown(
    drivers: tuple[str, ...], names: tuple[str, ...], seen: str
):
    with pytest.raises(SettingsError, match=seen):
        FeatureSpec(drivers, names)


def test_spec_names_the_series_its_features_need():
    assert FeatureSpec(("A",), ("slope", "return_log_1d", "vix")).macro_series == ("DGS10", "DGS2", "VIXCLS")
