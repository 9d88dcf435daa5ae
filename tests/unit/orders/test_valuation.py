import math
from decimal import Decimal

import pytest

from portfolio.errors import ExitCode, RuleRefusedError
from portfolio.ledger.positions import Positions
from portfolio.orders.valuation import decimal_prices, value_positions


def test_value_positions_weighs_lines_and_cash():
    valued = value_positions(Positions(Decimal("250.00"), {"A": 10, "B": 5}), {"A": 50.0, "B": 50.0, "C": math.nan})

    assert valued.total_eur == Decimal("1000.00")
    assert valued.lines_eur == {"A": Decimal(500), "B": Decimal(250)}
    assert valued.weights == {"A": 0.5, "B": 0.25, "CASH": 0.25}


def test_value_positions_weighs_all_in_cash_when_the_account_is_worth_nothing():
    assert value_positions(Positions(Decimal("0.00")), {}).weights == {"CASH": 1.0}


def test_decimal_prices_keep_four_places_of_the_shortest_decimal():
    prices = decimal_prices({"A": 0.1 + 0.2, "B": 5.48215, "C": 1e-9}, ("A", "B", "C"))

    assert {ticker: str(price) for ticker, price in prices.items()} == {"A": "0.3000", "B": "5.4822", "C": "0.0001"}


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0, 1e12])
def test_decimal_prices_refuse_when_a_price_is_odd(price):
    with pytest.raises(RuleRefusedError, match="A has no usable price") as refused:
        decimal_prices({"A": price}, ("A",))

    assert refused.value.exit_code == ExitCode.REFUSED


def test_decimal_prices_refuse_when_a_price_is_missing():
    with pytest.raises(RuleRefusedError, match=r"A has no usable price \(seen None\)"):
        decimal_prices({}, ("A",))
