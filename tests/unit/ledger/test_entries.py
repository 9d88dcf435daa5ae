from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from portfolio.errors import LedgerError
from portfolio.ledger.entries import Entry, absent_entries, described, id_of_reference, new_entries, with_ids

DAY = date(2018, 1, 3)
BUY = Entry(DAY, "buy", "WPEA.PA", 10, Decimal("5.50"), Decimal("1.00"))
DEPOSIT = Entry(DAY, "deposit", amount=Decimal("1000.00"))


def ids(*entries):
    return [entry.entry_id for entry in with_ids(entries)]


def test_with_ids_gives_the_same_ids_when_the_file_grew():
    short = ids(DEPOSIT, BUY)

    assert ids(DEPOSIT, BUY, replace(BUY, booked_on=date(2018, 1, 4)))[:2] == short
    assert sorted(ids(BUY, DEPOSIT)) == sorted(short)


def test_with_ids_keeps_two_identical_buys_apart():
    first, second = ids(BUY, BUY)

    assert first != second
    assert ids(BUY) == [first]


def test_with_ids_looks_at_numbers_not_at_how_they_are_written():
    assert ids(BUY) == ids(replace(BUY, price=Decimal("5.5"), fee=Decimal(1), note="reworded"))


@pytest.mark.parametrize(
    "change",
    [
        {"booked_on": date(2018, 1, 4)},
        {"kind": "sell"},
        {"ticker": "CL2.PA"},
        {"quantity": 11},
        {"price": Decimal("5.51")},
        {"fee": Decimal("1.01")},
        {"amount": Decimal("56.01")},  # the broker rounded otherwise: another cent moved
    ],
)
def test_with_ids_differ_when_the_content_differs(change):
    assert ids(BUY) != ids(replace(BUY, **change))


@pytest.mark.parametrize(("kind", "total"), [("buy", "56.00"), ("sell", "54.00")])
def test_with_ids_are_the_same_when_only_the_equal_total_was_added(kind, total):
    trade = replace(BUY, kind=kind)

    assert ids(trade) == ids(replace(trade, amount=Decimal(total)))
    assert len(set(ids(trade, replace(trade, amount=Decimal(total))))) == 2  # and twice in a file is two


def test_with_ids_keeps_the_reference_as_the_name():
    (entry,) = with_ids([replace(BUY, entry_id=id_of_reference("A-17"))])

    assert entry.reference == "A-17"
    assert with_ids([BUY])[0].reference is None


def test_new_entries_are_none_when_the_file_was_imported_before():
    known = with_ids([DEPOSIT, BUY])

    assert new_entries(known, with_ids([DEPOSIT, BUY])) == ()
    assert new_entries(known, with_ids([DEPOSIT, BUY, BUY])) == (with_ids([BUY, BUY])[1],)


def test_new_entries_are_none_when_the_total_was_added_to_a_line_booked_under_an_older_id():
    booked = replace(BUY, entry_id="of an earlier release")

    assert new_entries([booked], with_ids([replace(BUY, amount=Decimal("56.00"))])) == ()


def test_absent_entries_are_the_booked_ones_that_a_mended_file_lacks():
    mended = replace(BUY, quantity=11)
    later = replace(BUY, booked_on=date(2018, 1, 5))
    known = with_ids([DEPOSIT, BUY, later])

    assert absent_entries(known, with_ids([DEPOSIT, BUY])) == ()  # the later one is newer than the file
    assert absent_entries(known, with_ids([DEPOSIT, mended])) == (known[1],)
    assert absent_entries(known, with_ids([DEPOSIT, BUY, replace(later, fee=Decimal(2))])) == (known[2],)
    assert absent_entries(known, ()) == ()


def test_absent_entries_count_the_copies_of_a_line():
    assert len(absent_entries(with_ids([BUY, BUY, BUY]), with_ids([BUY]))) == 2


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (BUY, "2018-01-03 buy 10 WPEA.PA at 5.5"),
        (DEPOSIT, "2018-01-03 deposit 1000.00 EUR"),
        (Entry(DAY, "dividend", "WPEA.PA", amount=Decimal("12.4")), "2018-01-03 dividend WPEA.PA 12.40 EUR"),
        (Entry(DAY, "split", "WPEA.PA", 50), "2018-01-03 split 50 WPEA.PA"),
    ],
)
def test_described_says_an_entry_in_a_few_words(entry, words):
    assert described(entry) == words


def test_new_entries_refuse_when_a_known_reference_has_another_content():
    named = replace(BUY, entry_id=id_of_reference("A-17"))

    assert new_entries([named], [replace(named, note="reworded")]) == ()
    with pytest.raises(LedgerError, match=r"'A-17' of 2018-01-03 is already known .* a booked line never changes"):
        new_entries([named], [replace(named, quantity=11)])


@pytest.mark.parametrize(
    ("entry", "flow"),
    [
        (DEPOSIT, "1000.00"),
        (replace(DEPOSIT, kind="withdrawal"), "-1000.00"),
        (replace(DEPOSIT, kind="dividend"), "1000.00"),
        (replace(DEPOSIT, kind="fee"), "-1000.00"),
        (BUY, "-56.00"),
        (replace(BUY, kind="sell"), "54.00"),
        (replace(BUY, quantity=1, price=Decimal("0.005"), fee=Decimal(0)), "-0.01"),  # half a cent rounds up
        (replace(BUY, amount=Decimal("56.01")), "-56.01"),
        (Entry(DAY, "split", "WPEA.PA", 50), "0.00"),
    ],
)
def test_cash_flow_has_the_sign_of_the_kind(entry, flow):
    assert entry.cash_flow_eur == Decimal(flow)
