from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.errors import LedgerError
from portfolio.findings import Severity
from portfolio.ledger.csv_format import parse_entries
from portfolio.ledger.entries import Entry, with_ids
from portfolio.ledger.positions import Positions, check_ledger, fold, quantities_held

HEADER = "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note"
TODAY = date(2019, 1, 2)


def ledger(text):
    lines = [line.strip() for line in text.strip().splitlines()]
    return parse_entries("\n".join((HEADER, *lines)), "test.csv", ("A", "B"), TODAY)


def test_fold_starts_from_the_initial_cash_when_the_ledger_is_empty():
    assert fold((), Decimal("10000.00")) == Positions(Decimal("10000.00"), invested_eur=Decimal("10000.00"))


def test_fold_looks_at_the_ledger_only_when_it_has_an_entry():
    positions = fold(ledger("2018-01-02,deposit,,,,,50.00,"), Decimal(10_000))

    assert positions.cash_eur == Decimal("50.00")


def test_fold_is_right_when_a_wrong_buy_is_undone_as_the_documentation_shows():
    document = (Path(__file__).parents[3] / "docs" / "LEDGER.md").read_text()
    shown = [line.strip() for line in document.splitlines() if line.startswith("    2018-01-03,")]
    entries = parse_entries(
        "\n".join((HEADER, "2018-01-02,deposit,,,,,2000.00,", *shown)), "docs/LEDGER.md", ("WPEA.PA",), TODAY
    )

    positions = fold(entries, Decimal(0))

    assert len(shown) == 3
    assert positions.quantities == {"WPEA.PA": 20}
    assert positions.cash_eur == Decimal("1896.60")  # 2000 - 20 x 5.12 - 1, as if the 200 had never been


def test_fold_sums_cash_quantities_and_average_cost():
    positions = fold(
        ledger("""
            2018-01-02,deposit,,,,,1000.00,
            2018-01-03,buy,A,10,10.00,1.00,,
            2018-01-04,buy,A,30,12.00,1.00,,
            2018-01-05,sell,A,10,15.00,1.00,,
            2018-01-05,dividend,A,,,,3.00,
            2018-01-08,fee,,,,,2.00,
            2018-01-09,withdrawal,,,,,100.00,
        """),
        Decimal(0),
    )

    # 1000 - 101 - 361 + 149 + 3 - 2 - 100; A cost 462 for 40, a quarter of it was sold.
    assert positions == Positions(
        Decimal("588.00"), {"A": 30}, {"A": Decimal("346.50")}, Decimal("900.00"), date(2018, 1, 2), date(2018, 1, 9)
    )


def test_fold_drops_a_line_when_it_is_sold_whole():
    positions = fold(
        ledger("""
            2018-01-02,deposit,,,,,100.00,
            2018-01-03,buy,A,3,10.01,0.10,,
            2018-01-04,sell,A,3,10.01,0.10,,
        """),
        Decimal(0),
    )

    assert positions.quantities == {}
    assert positions.cost_eur == {}
    assert positions.cash_eur == Decimal("99.80")


def test_fold_takes_buys_before_sells_when_they_are_on_one_day():
    entries = ledger("""
        2018-01-02,sell,A,5,10.00,,,
        2018-01-02,buy,A,5,9.00,,,
        2018-01-02,deposit,,,,,45.00,
    """)

    assert fold(entries, Decimal(0)).cash_eur == Decimal("50.00")


def test_fold_sets_the_quantity_and_leaves_cost_and_cash_when_a_line_is_split():
    entries = ledger("""
        2018-01-02,deposit,,,,,1000.00,
        2018-01-03,buy,A,10,50.00,1.00,,
        2018-01-03,buy,B,7,10.00,,,
        2018-01-08,split,A,50,,,,five for one
        2018-01-09,split,B,3,,,,one for two
        2018-01-09,dividend,B,,,,5.00,the half share
        2018-01-10,sell,A,20,11.00,,,
    """)

    assert fold(entries, Decimal(0), until=date(2018, 1, 8)) == Positions(
        *(Decimal("429.00"), {"A": 50, "B": 7}, {"A": Decimal("501.00"), "B": Decimal("70.00")}),
        *(Decimal("1000.00"), date(2018, 1, 2), date(2018, 1, 8)),
    )
    # A share cost 501 / 50 = 10.02 after its split; 20 of them left.
    assert fold(entries, Decimal(0)) == Positions(
        *(Decimal("654.00"), {"A": 30, "B": 3}, {"A": Decimal("300.60"), "B": Decimal("70.00")}),
        *(Decimal("1000.00"), date(2018, 1, 2), date(2018, 1, 10)),
    )


def test_fold_takes_a_split_before_the_trades_of_its_day():
    entries = ledger("""
        2018-01-02,deposit,,,,,1000.00,
        2018-01-03,buy,A,10,50.00,,,
        2018-01-08,sell,A,15,10.00,,,
        2018-01-08,buy,A,5,10.00,,,
        2018-01-08,split,A,50,,,,
    """)

    assert fold(entries, Decimal(0)).quantities == {"A": 40}


def test_check_ledger_finds_a_split_of_a_line_that_is_not_held():
    entries = ledger("""
        2018-01-02,deposit,,,,,1000.00,
        2018-01-03,buy,A,10,50.00,,,
        2018-01-04,sell,A,10,50.00,,,
        2018-01-08,split,A,50,,,,
        2018-01-08,split,B,50,,,,
        2018-01-08,buy,B,1,10.00,,,
    """)

    assert [(finding.severity, finding.rule, finding.subject, finding.value) for finding in check_ledger(entries)] == [
        (Severity.ERROR, "split-of-nothing", "A", "0"),
        (Severity.ERROR, "split-of-nothing", "B", "0"),
    ]
    with pytest.raises(LedgerError, match="A split of A is booked on 2018-01-08 and the line holds 0 shares before it"):
        fold(entries, Decimal(0))


def test_check_ledger_finds_two_splits_of_a_day_that_say_different_quantities():
    entries = ledger("""
        2018-01-02,deposit,,,,,1000.00,
        2018-01-03,buy,A,10,50.00,,,
        2018-01-08,split,A,50,,,,
        2018-01-08,split,A,50,,,,
        2018-01-09,split,A,100,,,,
        2018-01-09,split,A,500,,,,
    """)

    (finding,) = check_ledger(entries)

    assert (finding.rule, finding.subject, finding.session, finding.value) == (
        *("split-contradicted", "A"),
        *(date(2018, 1, 9), "100, 500"),
    )


def test_quantities_held_are_those_of_the_day_also_when_the_ledger_cannot_be_true():
    entries = ledger("""
        2018-01-03,buy,A,10,50.00,,,
        2018-01-04,sell,B,3,50.00,,,
        2018-01-08,split,A,50,,,,
    """)

    assert quantities_held(entries, date(2018, 1, 7)) == {"A": 10}
    assert quantities_held(entries, date(2018, 1, 8)) == {"A": 50}
    assert quantities_held(entries, date(2018, 1, 2)) == {}


def test_fold_leaves_out_what_was_booked_after_the_day():
    entries = ledger("""
        2018-01-02,deposit,,,,,100.00,
        2018-02-01,deposit,,,,,50.00,
    """)

    assert fold(entries, Decimal(7), until=date(2018, 1, 31)).cash_eur == Decimal(100)
    assert fold(entries, Decimal(7), until=date(2018, 1, 1)).cash_eur == Decimal(7)


def test_check_ledger_finds_each_day_that_ends_below_zero():
    findings = check_ledger(
        ledger("""
            2018-01-02,deposit,,,,,100.00,
            2018-01-03,buy,A,10,20.00,,,
            2018-01-04,sell,B,1,5.00,,,
            2018-01-05,deposit,,,,,200.00,
        """)
    )

    assert [(finding.rule, finding.subject, finding.session, finding.value) for finding in findings] == [
        ("cash-negative", "", date(2018, 1, 3), "-100.00"),
        ("cash-negative", "", date(2018, 1, 4), "-95.00"),
        ("short-position", "B", date(2018, 1, 4), "-1"),
    ]
    assert {finding.severity for finding in findings} == {Severity.ERROR}


def test_check_ledger_finds_nothing_when_cash_touches_zero():
    assert (
        check_ledger(
            ledger("""
                2018-01-02,deposit,,,,,100.00,
                2018-01-03,buy,A,10,10.00,,,
                2018-01-04,sell,A,10,10.00,,,
                2018-01-04,withdrawal,,,,,100.00,
            """)
        )
        == ()
    )


def test_fold_refuses_with_the_day_and_figure_when_a_line_is_short():
    entries = ledger("""
        2018-01-02,deposit,,,,,100.00,
        2018-01-03,buy,A,2,10.00,,,
        2018-01-04,sell,A,3,10.00,,,
    """)

    with pytest.raises(LedgerError, match="A is -1 shares at the end of 2018-01-04: no line is ever short"):
        fold(entries, Decimal(0))


def test_fold_counts_the_findings_it_does_not_show():
    entries = ledger("\n".join(f"2018-01-{day:02d},withdrawal,,,,,1.00," for day in range(1, 14)))

    with pytest.raises(LedgerError, match=r"\.\.\. and 3 more"):
        fold(entries, Decimal(0))


@st.composite
def any_ledger(draw):
    """A ledger that can be true: money comes first, no day sells more than was bought before it."""
    day = date(2018, 1, 1)
    entries = [Entry(day, "deposit", amount=Decimal("1000000.00"))]
    held = {"A": 0, "B": 0}
    for _ in range(draw(st.integers(0, 12))):
        day += timedelta(days=draw(st.integers(0, 2)))
        ticker = draw(st.sampled_from(("A", "B")))
        kind = draw(st.sampled_from(("buy", "sell", "split") if held[ticker] else ("buy",)))
        if kind == "split":
            day += timedelta(days=1)  # else a trade drawn earlier would be folded after it
            held[ticker] = draw(st.integers(1, 500))
            entries.append(Entry(day, "split", ticker, held[ticker]))
            continue
        quantity = draw(st.integers(1, 50 if kind == "buy" else held[ticker]))
        held[ticker] += quantity if kind == "buy" else -quantity
        price = draw(st.decimals("0.0001", "200", places=4))
        fee = draw(st.decimals("0", "5", places=2))
        entries.append(Entry(day, kind, ticker, quantity, price, fee))
    return with_ids(entries), held


@given(any_ledger(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_fold_conserves_cash_and_shares_in_whatever_order_entries_come(case, shuffler):
    entries, held = case

    positions = fold(entries, Decimal(0))

    assert positions.cash_eur == sum(entry.cash_flow_eur for entry in entries)
    assert positions.quantities == {ticker: quantity for ticker, quantity in held.items() if quantity}
    assert all(cost >= 0 for cost in positions.cost_eur.values())
    mixed = list(entries)
    shuffler.shuffle(mixed)
    assert fold(mixed, Decimal(0)) == positions
