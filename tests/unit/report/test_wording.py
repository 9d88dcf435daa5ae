from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portfolio.report import wording


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234.56, "1 234.56 EUR"),
        (-1234567.891, "-1 234 567.89 EUR"),
        (0.004, "0.00 EUR"),
        (-0.004, "0.00 EUR"),
        (None, "n/a"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_money_is_grouped_with_two_decimals(value, expected):
    assert spaced(wording.money(value)) == expected


def test_money_has_a_sign_only_when_asked_and_not_at_nothing():
    assert [spaced(wording.money(value, signed=True)) for value in (1.0, -1.0, 0.001)] == [
        "+1.00 EUR",
        "-1.00 EUR",
        "0.00 EUR",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(24.118, "24.118 EUR"), (9.8612, "9.8612 EUR"), (412.5, "412.50 EUR"), (1000.0, "1 000.00 EUR"), (None, "n/a")],
)
def test_price_keeps_the_decimals_it_is_quoted_with(value, expected):
    assert spaced(wording.price(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.0006, "0.1 %"),
        (0.931, "93.1 %"),
        (0.9994, "99.9 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100.0 %"),
        (None, "n/a"),
    ],
)
def test_probability_is_not_called_certain_when_it_only_rounds_to_it(value, expected):
    assert spaced(wording.probability(value)) == expected


def test_weight_shows_the_basis_point():
    assert spaced(wording.weight(0.1277)) == "12.77 %"
    assert spaced(wording.points(-0.0097, signed=True)) == "-0.97 pt"


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2019, 1, 2, 6, 30, tzinfo=UTC), "2 Jan 2019, 07:30 (UTC+01:00)"),
        (datetime(2019, 7, 1, 22, 30, tzinfo=UTC), "2 Jul 2019, 00:30 (UTC+02:00)"),
    ],
)
def test_instant_is_told_in_paris_time(instant, expected):
    assert spaced(wording.instant(instant)) == expected


def test_day_full_names_the_weekday():
    assert spaced(wording.day_full(date(2019, 1, 2))) == "Wednesday 2 January 2019"


def test_headline_counts_the_trades(report_data):
    assert spaced(wording.headline(report_data)) == (
        "TARGET for Wednesday 2 January 2019: sell 4 lines, buy 1 line, keep 54.24 % in cash."
    )


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        (("Data are late. The rule is 0; run update.", "more"), "data are late"),
        (("^GSPC is late; wait.",), "^GSPC is late"),
        (("VIXCLS is late",), "VIXCLS is late"),
        ((), "no reason was given"),
    ],
)
def test_headline_gives_the_first_reason_when_holding(empty_data, reasons, why):
    data = replace(empty_data, decision=replace(empty_data.decision, reasons=reasons))
    assert spaced(wording.headline(data)) == f"HOLD for Wednesday 2 January 2019: no orders, because {why}."


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("stressed > 99.9 %, calm < 0.1 %", "stressed >~99.9~%, calm <~0.1~%"),
        ("fee 30.00 EUR, 2.5 points", "fee 30.00~EUR, 2.5~points"),
        ("no unit: 3 lines of EUROPE, 2 EUROS", "no unit: 3 lines of EUROPE, 2 EUROS"),
    ],
)
def test_unbroken_holds_numbers_and_their_units_together(text, held):
    assert wording.unbroken(text) == held.replace("~", wording.NO_BREAK)
