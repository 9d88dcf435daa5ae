from datetime import date
from decimal import Decimal

import pytest

from portfolio.findings import Severity
from portfolio.ledger.entries import Entry
from portfolio.ledger.splits import unbooked_splits

SPLIT_ON = date(2018, 6, 14)
DEPOSIT = Entry(date(2018, 1, 2), "deposit", amount=Decimal("10000.00"))


def buy(day, ticker="A", quantity=10):
    return Entry(day, "buy", ticker, quantity, Decimal("10.00"))


def split(day, ticker="A", quantity=50):
    return Entry(day, "split", ticker, quantity)


def seen(entries, *splits):
    return [
        (finding.rule, finding.subject, finding.session, finding.value) for finding in unbooked_splits(entries, splits)
    ]


def test_unbooked_split_is_an_error_that_says_what_to_book_when_the_line_was_held():
    (finding,) = unbooked_splits([DEPOSIT, buy(date(2018, 6, 13))], [("A", SPLIT_ON, 5.0)])

    assert finding.severity is Severity.ERROR
    assert (finding.rule, finding.subject, finding.session, finding.value) == ("split-unbooked", "A", SPLIT_ON, "5")
    assert "5 new shares for 1, while the ledger held 10:" in finding.message
    assert "import 2018-06-14,split,A,QUANTITY,,,, with the quantity your broker shows" in finding.message


def test_unbooked_splits_are_none_when_the_line_was_not_held_the_evening_before():
    sold = Entry(date(2018, 6, 13), "sell", "A", 10, Decimal("10.00"))

    assert seen([], ("A", SPLIT_ON, 5.0)) == []
    assert seen([DEPOSIT], ("A", SPLIT_ON, 5.0)) == []
    assert seen([DEPOSIT, buy(SPLIT_ON)], ("A", SPLIT_ON, 5.0)) == []
    assert seen([DEPOSIT, buy(date(2018, 2, 1)), sold], ("A", SPLIT_ON, 5.0)) == []
    assert seen([DEPOSIT, buy(date(2018, 2, 1), "B")], ("A", SPLIT_ON, 5.0)) == []


@pytest.mark.parametrize(
    ("booked_on", "found"),
    [
        (date(2018, 6, 3), True),
        (date(2018, 6, 4), False),
        (date(2018, 6, 14), False),
        (date(2018, 6, 24), False),
        (date(2018, 6, 25), True),
    ],
)
def test_split_counts_as_booked_only_within_ten_days_around_it(booked_on, found):
    entries = [DEPOSIT, buy(date(2018, 2, 1)), split(booked_on)]

    assert bool(seen(entries, ("A", SPLIT_ON, 5.0))) is found


def test_split_counts_as_booked_only_for_its_own_ticker():
    entries = [split(SPLIT_ON, "B"), buy(date(2018, 2, 1), "B"), buy(date(2018, 2, 1)), DEPOSIT]

    assert seen(entries, ("B", SPLIT_ON, 5.0), ("A", SPLIT_ON, 0.1)) == [("split-unbooked", "A", SPLIT_ON, "0.1")]


def test_unbooked_splits_are_told_each_when_a_line_was_split_twice():
    entries = [DEPOSIT, buy(date(2018, 2, 1)), split(date(2018, 3, 1))]
    splits = (("A", date(2018, 3, 1), 5.0), ("A", SPLIT_ON, 2.0), ("A", date(2018, 12, 3), 1.5))

    assert [finding[2:] for finding in seen(entries, *splits)] == [(SPLIT_ON, "2"), (date(2018, 12, 3), "1.5")]


def test_unbooked_split_is_told_also_when_the_ledger_cannot_be_true():
    assert seen([buy(date(2018, 2, 1))], ("A", SPLIT_ON, 5.0)) == [("split-unbooked", "A", SPLIT_ON, "5")]
