from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.errors import SettingsError
from portfolio.orders.fees import FeeSchedule


@pytest.mark.parametrize(
    ("amount", "fee"),
    [("0", "0"), ("1000.00", "5.00"), ("1000.01", "5.01"), ("0.01", "0.01"), ("2795.88", "13.98")],
)
def test_fee_is_half_a_percent_rounded_up_to_the_cent(amount, fee):
    assert FeeSchedule().fee(Decimal(amount)) == Decimal(fee)


@pytest.mark.parametrize(("amount", "fee"), [("0", "0"), ("100.00", "1.99"), ("1000.00", "5.00")])
def test_fee_is_the_minimum_when_the_rate_gives_less(amount, fee):
    assert FeeSchedule(minimum_eur=Decimal("1.99")).fee(Decimal(amount)) == Decimal(fee)


@given(st.decimals("0", "1000000", places=2), st.decimals("0", "1000000", places=2))
def test_fee_never_falls_when_the_amount_grows(one, other):
    schedule = FeeSchedule(minimum_eur=Decimal(1))
    assert schedule.fee(min(one, other)) <= schedule.fee(max(one, other))


@pytest.mark.parametrize("rate", ["-0.001", "0.5", "NaN", "Infinity"])
def test_fee_schedule_refuses_when_the_rate_is_odd(rate):
    with pytest.raises(SettingsError, match=r"The fee rate is .* 0.005 for 0.5 %"):
        FeeSchedule(rate=Decimal(rate))


@pytest.mark.parametrize("minimum", ["-1", "NaN", "Infinity"])
def test_fee_schedule_refuses_when_the_minimum_is_odd(minimum):
    with pytest.raises(SettingsError, match="The smallest fee is"):
        FeeSchedule(minimum_eur=Decimal(minimum))
