from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.sources.reconstruct import LineSpec, reconstruct_line, sample_on_sessions


def series(days: list[date], values: list[float]) -> pd.Series:
    return pd.Series(values, index=pd.DatetimeIndex(days), dtype="float64")


def oracle(days: list[date], closes: list[float], rates: dict[date, float], spec: LineSpec) -> list[float]:
    """Step through the days one by one, in plain Python."""
    levels = [spec.start_level]
    for yesterday, today, before, now in zip(days, days[1:], closes, closes[1:], strict=False):
        earlier = [day for day in rates if day <= yesterday and not np.isnan(rates[day])]
        rate = rates[max(earlier)] if earlier else 0.0
        elapsed = (today - yesterday).days
        borrowed = (spec.leverage - 1) * rate / 100 * elapsed / 360
        levels.append(
            levels[-1] * (1 + spec.leverage * (now / before - 1) - borrowed - spec.fee_annual * elapsed / 365)
        )
    return levels


def test_line_doubles_the_day_less_financing_and_fee_when_leverage_is_two():
    days = [date(2024, 6, 6), date(2024, 6, 7), date(2024, 6, 10)]
    line = reconstruct_line(
        series(days, [100.0, 101.0, 99.99]), series(days, [3.6, 7.2, 9.9]), LineSpec(2, 0.00365, 10.0)
    )
    # Friday: +2 % - 3.6 % / 360 - 0.365 % / 365; Monday: -2 % - 3 days of 7.2 % / 360 and of the fee
    friday = 10 * (1 + 0.02 - 0.0001 - 0.00001)
    assert line.tolist() == pytest.approx([10.0, friday, friday * (1 - 0.02 - 0.0006 - 0.00003)], rel=1e-12)


def test_line_is_the_index_when_it_has_neither_leverage_nor_fee():
    days = [date(2024, 6, 6), date(2024, 6, 7), date(2024, 6, 10)]
    line = reconstruct_line(series(days, [200.0, 210.0, 205.0]), series(days, [5.0, 5.0, 5.0]), LineSpec(1, 0.0, 2.0))
    assert line.tolist() == pytest.approx([2.0, 2.1, 2.05])


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_line_is_refused_when_an_index_close_is_no_positive_number(bad: float):
    days = [date(2024, 6, 6), date(2024, 6, 7)]
    with pytest.raises(ValueError, match="positive"):
        reconstruct_line(series(days, [100.0, bad]), series(days, [5.0, 5.0]), LineSpec(2, 0.0, 1.0))


steps = st.lists(
    st.tuples(st.integers(1, 5), st.floats(0.9, 1.1), st.one_of(st.none(), st.floats(0, 15))), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=60)
@given(steps, st.integers(1, 3), st.floats(0, 0.02))
def test_line_agrees_with_the_plain_loop(steps: list, leverage: int, fee: float):
    days, closes, rates = [date(2000, 1, 3)], [100.0], {date(2000, 1, 3): float("nan")}
    for gap, growth, rate in steps:
        days.append(days[-1] + timedelta(days=gap))
        closes.append(closes[-1] * growth)
        rates[days[-1]] = float("nan") if rate is None else rate
    spec = LineSpec(leverage, fee, 7.0)
    line = reconstruct_line(series(days, closes), series(list(rates), list(rates.values())), spec)
    assert line.tolist() == pytest.approx(oracle(days, closes, rates, spec), rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(steps, st.data())
def test_line_up_to_a_day_is_unchanged_when_later_values_are_noise(steps: list, data: st.DataObject):
    days = [date(2000, 1, 3)]
    for gap, _, _ in steps:
        days.append(days[-1] + timedelta(days=gap))
    closes = np.cumprod([100.0, *(growth for _, growth, _ in steps)])
    rates = np.array([1.0, *(rate or 0.0 for _, _, rate in steps)])
    cut = data.draw(st.integers(1, len(days)))
    noisy_closes, noisy_rates = closes.copy(), rates.copy()
    noisy_closes[cut:] *= 3.3
    noisy_rates[cut:] += 40.0
    spec = LineSpec(2, 0.005, 10.0)
    plain = reconstruct_line(series(days, list(closes)), series(days, list(rates)), spec)
    noisy = reconstruct_line(series(days, list(noisy_closes)), series(days, list(noisy_rates)), spec)
    assert plain.iloc[:cut].tolist() == noisy.iloc[:cut].tolist()


def test_sessions_read_the_last_close_on_or_before_them_when_the_index_was_closed():
    closes = series([date(2024, 7, 3), date(2024, 7, 5)], [10.0, 11.0])
    sessions = pd.DatetimeIndex(["2024-07-02", "2024-07-03", "2024-07-04", "2024-07-05", "2024-07-08"])
    sampled = sample_on_sessions(closes, sessions)
    assert sampled.index.tolist() == sessions[1:].tolist()
    assert sampled.tolist() == [10.0, 10.0, 11.0, 11.0]
