"""The append-only logs of signals and orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import StoreError
from portfolio.store.orders import append_orders, read_orders
from portfolio.store.signals import append_signal, read_signal, read_signal_before, read_signals
from tests.support.store_rows import orders, signal

if TYPE_CHECKING:
    from portfolio.store.connection import Store

SECOND, THIRD = date(2019, 1, 2), date(2019, 1, 3)


def test_signal_is_read_as_it_was_logged(store: Store) -> None:
    row = replace(signal("2019-01-02"), model_id=None, previous_session=date(2018, 12, 31), previous_revision=2)
    logged = append_signal(store, row)
    assert logged == replace(row, revision=1)
    assert read_signal(store) == read_signal(store, SECOND) == logged
    assert read_signals(store) == [logged]


def test_signal_is_absent_when_none_was_logged(store: Store) -> None:
    append_signal(store, signal("2019-01-03"))
    assert read_signal(store, SECOND) is None
    assert read_signal_before(store, THIRD) is None


def test_signal_is_not_logged_again_when_the_answer_is_the_same(store: Store) -> None:
    logged = append_signal(store, signal("2019-01-02"))
    again = append_signal(store, replace(signal("2019-01-02"), run_id="another run"))
    assert again == logged
    assert len(read_signals(store)) == 1


def test_signal_gets_the_next_revision_when_the_answer_changes_and_changes_back(store: Store) -> None:
    for answer in ("a", "b", "a"):
        append_signal(store, signal("2019-01-02", answer))
    assert [(row.revision, row.answer) for row in read_signals(store)] == [(1, "a"), (2, "b"), (3, "a")]
    newest = read_signal(store)
    assert newest is not None
    assert newest.revision == 3


def test_signal_before_a_session_is_the_newest_revision_of_an_earlier_one(store: Store) -> None:
    for session, answer in (("2018-12-31", "x"), ("2019-01-02", "a"), ("2019-01-02", "b"), ("2019-01-03", "c")):
        append_signal(store, signal(session, answer))
    before = [read_signal_before(store, day) for day in (date(2018, 12, 31), SECOND, THIRD, date(2019, 1, 4))]
    assert [row and row.answer for row in before] == [None, "x", "b", "c"]


def test_signal_is_refused_when_its_session_is_older_than_the_newest_logged(store: Store) -> None:
    append_signal(store, signal("2019-01-03"))
    with pytest.raises(StoreError, match=r"session 2019-01-02 cannot be logged: .*chronological order .* 2019-01-03"):
        append_signal(store, signal("2019-01-02"))
    assert len(read_signals(store)) == 1


def test_orders_are_logged_once_and_revised_when_plan_or_signal_changes(store: Store) -> None:
    assert read_orders(store) is None
    first = append_orders(store, orders("2019-01-02"))
    assert append_orders(store, replace(orders("2019-01-02"), run_id="another run")) == first
    assert append_orders(store, orders("2019-01-02", "{1}")).revision == 2
    assert append_orders(store, orders("2019-01-02", "{1}", signal_revision=2)).revision == 3
    third = append_orders(store, orders("2019-01-03"))
    assert third.revision == 1
    assert read_orders(store) == third
    newest = read_orders(store, SECOND)
    assert newest is not None
    assert (newest.revision, newest.signal_revision) == (3, 2)
    assert read_orders(store, date(2019, 1, 4)) is None


def test_orders_are_refused_when_their_session_is_older_than_the_newest_logged(store: Store) -> None:
    append_orders(store, orders("2019-01-03"))
    with pytest.raises(StoreError, match="plan for session 2019-01-02 cannot be logged"):
        append_orders(store, orders("2019-01-02"))
