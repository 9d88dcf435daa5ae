from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import StoreError
from portfolio.store.ledger import LedgerRow, append_entries, read_entries
from tests.support.store_batches import at

if TYPE_CHECKING:
    from portfolio.store.connection import Store

DEPOSIT = LedgerRow(
    *("d1", date(2019, 1, 2), "deposit", None, None, None, Decimal("0.00"), Decimal("10000.01"), ""),
    *(at("2019-01-02 07:00"), "run"),
)
BUY = LedgerRow(
    *("b1", date(2019, 1, 2), "buy", "WPEA.PA", 120, Decimal("4.812345"), Decimal("2.89"), None, "l'achat; --"),
    *(at("2019-01-02 07:00"), "run"),
)


def test_entries_are_read_as_they_were_imported(store: Store) -> None:
    assert append_entries(store, [DEPOSIT, BUY]) == 2
    assert read_entries(store) == [DEPOSIT, BUY]
    assert [str(value) for value in (BUY.price, DEPOSIT.amount)] == ["4.812345", "10000.01"]


def test_split_is_read_as_it_was_imported(store: Store) -> None:
    split = replace(BUY, entry_id="s1", kind="split", quantity=600, price=None, fee=None)
    append_entries(store, [DEPOSIT, BUY, split])
    assert read_entries(store) == [DEPOSIT, BUY, split]


def test_entries_are_not_added_again_when_known(store: Store) -> None:
    append_entries(store, [DEPOSIT])
    assert append_entries(store, [replace(DEPOSIT, run_id="another run"), BUY, BUY]) == 1
    assert read_entries(store) == [DEPOSIT, BUY]
    assert append_entries(store, []) == 0


def test_entries_come_by_day_and_within_a_day_as_imported(store: Store) -> None:
    earlier = replace(DEPOSIT, entry_id="a0", booked_on=date(2019, 1, 1))
    append_entries(store, [BUY, replace(DEPOSIT, entry_id="z9"), DEPOSIT])
    append_entries(store, [earlier])
    assert [entry.entry_id for entry in read_entries(store)] == ["a0", "b1", "z9", "d1"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (replace(BUY, price=Decimal("1.2345678")), "b1 has price 1.2345678, which is kept to 6 decimals"),
        (replace(DEPOSIT, fee=Decimal("0.005")), "d1 has fee 0.005, which is kept to 2 decimals"),
        (replace(DEPOSIT, amount=Decimal("10000.001")), "d1 has amount 10000.001, which is kept to 2 decimals"),
    ],
)
def test_entries_are_refused_as_a_whole_when_money_would_be_rounded(store: Store, entry: LedgerRow, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        append_entries(store, [replace(DEPOSIT, entry_id="sound"), entry])
    assert read_entries(store) == []


def test_entries_keep_trailing_zeros_that_need_no_rounding(store: Store) -> None:
    append_entries(store, [replace(DEPOSIT, amount=Decimal("10.0000"))])
    assert read_entries(store)[0].amount == Decimal("10.00")
