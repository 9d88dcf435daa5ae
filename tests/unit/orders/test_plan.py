from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from portfolio.allocation.limits import Limits, breaches
from portfolio.errors import RuleRefusedError, UniverseError
from portfolio.findings import Severity
from portfolio.ledger.positions import Positions
from portfolio.orders.fees import FeeSchedule
from portfolio.orders.plan import plan_orders
from portfolio.orders.records import PlanInput
from portfolio.universe import read_universe

UNIVERSE = read_universe()
SESSION = date(2019, 1, 2)
PRICES = {"WPEA.PA": 5.0, "PE500.PA": 20.0, "PUST.PA": 50.0, "PAEEM.PA": 25.0, "LQQ.PA": 100.0, "CL2.PA": 10.0}
NO_FEES = FeeSchedule(rate=Decimal(0))

START = PlanInput(
    session=SESSION,
    decision="TARGET",
    weights={"WPEA.PA": 0.40, "PE500.PA": 0.20, "CASH": 0.40},
    positions=Positions(Decimal("1000.00")),
    prices=PRICES,
    universe=UNIVERSE,
    limits=Limits(),
    fees=NO_FEES,
    band=0.025,
)


def holding(cash, **quantities):
    return Positions(Decimal(cash), {f"{name}.PA": quantity for name, quantity in quantities.items()})


def sides(plan):
    return [(order.side, order.ticker, order.quantity) for order in plan.orders]


def test_plan_buys_the_target_when_the_account_is_cash():
    plan = plan_orders(START)

    assert sides(plan) == [("BUY", "WPEA.PA", 80), ("BUY", "PE500.PA", 10)]
    assert plan.cash_after_eur == Decimal("400.00")
    assert plan.weights_after["WPEA.PA"] == 0.4
    assert plan.weights_after["CASH"] == 0.4
    assert plan.suppressed is None
    assert plan.orders[0].isin == "IE0002XZSHO1"
    assert plan.orders[0].reason == "target 40.0 %, held 0.0 %"


def test_plan_pays_the_fees_from_the_account_before_it_sizes():
    plan = plan_orders(replace(START, fees=FeeSchedule()))

    # With 600 EUR of orders fees are 3 EUR: 40 % of 997 EUR are 79.76 shares and 80 would be above the limit;
    # 20 % are 9.97 shares, and the tenth brings line and cash closer.
    assert sides(plan) == [("BUY", "WPEA.PA", 79), ("BUY", "PE500.PA", 10)]
    assert [order.fee_eur for order in plan.orders] == [Decimal("1.98"), Decimal("1.00")]
    assert plan.cash_after_eur == Decimal("402.02")
    assert plan.value_after_eur == Decimal("997.02")


def test_plan_sells_first_and_sells_an_untargeted_line_whole():
    plan = plan_orders(replace(START, positions=holding("100.00", CL2=20, WPEA=40, PUST=10)))

    # Worth 100 + 200 + 200 + 500 = 1000.
    assert sides(plan) == [
        ("SELL", "PUST.PA", 10),
        ("SELL", "CL2.PA", 20),
        ("BUY", "WPEA.PA", 40),
        ("BUY", "PE500.PA", 10),
    ]
    # 50 % in PUST broke the limit on one position, so each sell says that it restores it.
    assert plan.orders[0].reason == "target 0.0 %, held 50.0 %; restores max-single-position"
    assert plan.cash_after_eur == Decimal("400.00")


def test_plan_rounds_the_amount_of_a_buy_up_as_it_takes_it_from_cash():
    # 205 x 4.903 = 1005.115, the ledger example's odd half cent: no rounding to even, and not down.
    weights = {"WPEA.PA": 0.40, "CASH": 0.60}
    plan = plan_orders(
        replace(START, weights=weights, positions=Positions(Decimal("2513.00")), prices={"WPEA.PA": 4.903})
    )

    assert sides(plan) == [("BUY", "WPEA.PA", 205)]
    assert plan.orders[0].as_dict()["amount_eur"] == 1005.12
    assert plan.cash_after_eur == Decimal("1507.88")


def test_plan_warns_of_fees_that_weigh_more_than_they_bring():
    # 5 EUR each: 1.3 % of one order and 2.8 % of the other; together 1 % of 1000 EUR, which is not more than 1 %.
    weights = {"WPEA.PA": 0.39, "PE500.PA": 0.19, "CASH": 0.42}
    plan = plan_orders(replace(START, weights=weights, fees=FeeSchedule(minimum_eur=Decimal(5))))

    assert [(order.ticker, order.amount_eur) for order in plan.orders] == [
        ("WPEA.PA", Decimal("390.00")),
        ("PE500.PA", Decimal("180.00")),
    ]
    (finding,) = plan.findings
    assert (finding.severity, finding.rule, finding.subject, finding.session, finding.value) == (
        Severity.WARNING,
        "fee-heavy",
        "PE500.PA",
        SESSION,
        "5.00",
    )
    assert finding.message.startswith(
        "The fee of BUY 9 PE500.PA, 5.00 EUR, is 2.78 % of its 180.00 EUR (more than 2.0 %"
    )


def test_plan_as_dict_has_the_promised_keys_and_plain_values():
    document = plan_orders(replace(START, fees=FeeSchedule())).as_dict()

    assert set(document) == {"session", "orders", "cash_after_eur", "weights_after"}
    assert document["session"] == "2019-01-02"
    assert document["cash_after_eur"] == 402.02
    assert document["orders"][1] == {
        "ticker": "PE500.PA",
        "isin": "FR0011871128",
        "side": "BUY",
        "quantity": 10,
        "price_eur": 20.0,
        "amount_eur": 200.0,
        "fee_eur": 1.0,
        "reason": "target 20.0 %, held 0.0 %",
    }


def test_plan_has_no_orders_when_the_decision_is_hold():
    held = {"WPEA.PA": 0.55, "CASH": 0.45}

    plan = plan_orders(replace(START, decision="HOLD", weights=held, positions=holding("450.00", WPEA=110), prices={}))

    assert plan.orders == ()
    assert plan.suppressed == "The decision is HOLD: nothing is traded."
    assert plan.cash_after_eur == Decimal("450.00")
    assert plan.weights_after["WPEA.PA"] == 0.55


@pytest.mark.parametrize(("quantity", "orders"), [(76, False), (75, True)])
def test_plan_has_no_orders_when_no_line_is_a_band_away(quantity, orders):
    # 80 shares are the target; 76 are 38 %, 2 points away; 75 are 37.5 %, the band exactly.
    positions = holding(str(800 - 5 * quantity), WPEA=quantity, PE500=10)

    plan = plan_orders(replace(START, positions=positions))

    assert bool(plan.orders) is orders
    if not orders:
        assert plan.suppressed == (
            "No line is 2.5 points or more away from its target (the largest difference is 2 points on WPEA.PA): "
            "nothing is traded."
        )
        assert plan.cash_after_eur == positions.cash_eur
        assert plan.weights_after["WPEA.PA"] == 0.38


def test_plan_restores_a_limit_when_the_line_is_within_the_band():
    # 41 % held, 40 % targeted and the most allowed: a difference of one point would be within the band.
    plan = plan_orders(replace(START, positions=holding("390.00", WPEA=82, PE500=10)))

    assert sides(plan) == [("SELL", "WPEA.PA", 2)]
    assert plan.orders[0].reason == "target 40.0 %, held 41.0 %; restores max-single-position"


def test_plan_restores_the_cash_floor_when_fees_and_drift_ate_it():
    weights = {"WPEA.PA": 0.40, "PE500.PA": 0.30, "PUST.PA": 0.20, "CASH": 0.10}
    positions = holding("90.00", WPEA=79, PE500=15, PUST=4)  # 90 + 395 + 300 + 200 = 985: cash is 9.1 %

    plan = plan_orders(replace(START, weights=weights, positions=positions, fees=FeeSchedule()))

    # 40 % of 984.87 are 78.8 shares of WPEA, whose 79th is above the limit; 30 % are 14.8 of PE500, whose 15th would
    # leave 94.87 of cash, below 10 %. Fees are 0.03 and 0.10.
    assert sides(plan) == [("SELL", "WPEA.PA", 1), ("SELL", "PE500.PA", 1)]
    assert plan.cash_after_eur == Decimal("114.87")
    assert "restores max-single-position, min-cash" in plan.orders[0].reason


def test_plan_has_no_orders_when_whole_shares_come_no_closer():
    # 30 EUR wanted of a share at 100 EUR, and none held: 3 % away, more than the band, and nothing helps.
    plan = plan_orders(replace(START, weights={"LQQ.PA": 0.03, "CASH": 0.97}))

    assert plan.orders == ()
    assert plan.suppressed == "Whole shares come no closer to the target than what is held: nothing is traded."
    (finding,) = plan.findings
    assert finding.rule == "share-dearer-than-target"
    assert finding.message == (
        "LQQ.PA is not held: one share costs 100.00 EUR and its target of 3.0 % is 30.00 EUR. "
        "What whole shares cannot hold stays in CASH."
    )


def test_plan_buys_what_it_can_when_the_account_is_tiny():
    plan = plan_orders(replace(START, positions=Positions(Decimal("12.00"))))

    assert sides(plan) == []  # 40 % of 12 EUR is 4.80 EUR, a share is 5 EUR, and one would be 41.7 %
    assert plan.cash_after_eur == Decimal("12.00")
    assert [finding.subject for finding in plan.findings] == ["WPEA.PA", "PE500.PA"]


def test_plan_says_so_when_the_account_is_empty():
    plan = plan_orders(replace(START, positions=Positions(Decimal("0.00"))))

    assert plan.orders == ()
    assert plan.suppressed == "The account is empty: book a deposit first."
    assert plan.weights_after["CASH"] == 1
    assert plan.cash_after_eur == 0


def test_plan_trades_without_cash_when_sells_pay_for_the_buys():
    plan = plan_orders(replace(START, positions=holding("0.00", PUST=20), fees=FeeSchedule()))

    assert plan.orders[0].side == "SELL"
    assert plan.cash_after_eur >= 0
    assert breaches(plan.weights_after, Limits().rules(UNIVERSE.leveraged)) == {}


@pytest.mark.parametrize("price", [None, float("nan"), 0.0, -5.0, float("inf")])
@pytest.mark.parametrize("ticker", ["WPEA.PA", "CL2.PA"])
def test_plan_is_refused_when_a_targeted_or_held_line_has_no_usable_price(ticker, price):
    prices = {**PRICES, ticker: price}

    with pytest.raises(RuleRefusedError, match=f"{ticker} has no usable price"):
        plan_orders(replace(START, positions=holding("100.00", CL2=1), prices=prices))


def test_plan_asks_no_price_when_a_line_is_neither_held_nor_targeted():
    prices = {"WPEA.PA": 5.0, "PE500.PA": 20.0, "PAEEM.PA": float("nan")}

    assert plan_orders(replace(START, prices=prices)).orders


def test_plan_is_refused_when_the_target_breaks_a_limit():
    with pytest.raises(RuleRefusedError, match=r"The target breaks the limit max-single-position: WPEA.PA is 50.0 %"):
        plan_orders(replace(START, weights={"WPEA.PA": 0.5, "CASH": 0.5}))


def test_plan_is_refused_when_cash_is_negative():
    with pytest.raises(RuleRefusedError, match=r"Cash is -1\.00 EUR"):
        plan_orders(replace(START, positions=holding("-1.00", WPEA=100)))


def test_plan_is_refused_when_the_fees_of_restoring_a_limit_exceed_the_account():
    dear = FeeSchedule(minimum_eur=Decimal(50))

    with pytest.raises(RuleRefusedError, match=r"Fees would leave -40\.00 EUR"):
        plan_orders(replace(START, positions=holding("0.00", WPEA=2), fees=dear))


def test_plan_names_the_universe_when_a_held_line_is_not_in_it():
    positions = Positions(Decimal("100.00"), {"GONE.PA": 10})

    with pytest.raises(UniverseError, match=r"GONE\.PA is not in the universe"):
        plan_orders(replace(START, positions=positions, prices={**PRICES, "GONE.PA": 10.0}))
