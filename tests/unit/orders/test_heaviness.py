from datetime import date
from decimal import Decimal

import pytest

from portfolio.findings import Severity
from portfolio.orders.heaviness import heavy_fees
from portfolio.orders.records import Order

SESSION = date(2019, 1, 2)


def order(amount, fee, ticker="WPEA.PA"):
    return Order(ticker, "", "BUY", 1, Decimal(amount), Decimal(amount), Decimal(fee), "")


@pytest.mark.parametrize(("fee", "warned"), [("2.00", []), ("2.01", ["WPEA.PA"])])
def test_heavy_fees_warn_of_an_order_when_its_fee_is_above_two_percent(fee, warned):
    found = heavy_fees([order("100.00", fee), order("1000.00", "2.01", "CL2.PA")], Decimal(100_000), SESSION)

    assert [finding.subject for finding in found] == warned


@pytest.mark.parametrize(("value", "warned"), [(Decimal(1000), []), (Decimal("999.99"), [""])])
def test_heavy_fees_warn_of_all_together_when_they_exceed_one_percent_of_the_account(value, warned):
    found = heavy_fees([order("400.00", "6.00"), order("300.00", "4.00")], value, SESSION)

    assert [finding.subject for finding in found] == warned
    for finding in found:
        assert (finding.severity, finding.rule, finding.value) == (Severity.WARNING, "fee-heavy", "10.00")
        assert finding.message.startswith("All fees together, 10.00 EUR, are 1.0 % of the account's 999.99 EUR")


def test_heavy_fees_are_none_when_there_are_no_orders_or_nothing_is_traded():
    assert heavy_fees([], Decimal(0), SESSION) == ()
    assert heavy_fees([order("0.00", "0.00")], Decimal(0), SESSION) == ()
