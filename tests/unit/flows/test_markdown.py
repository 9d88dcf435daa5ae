from __future__ import annotations

from flows.markdown import decision_text, table


def test_table_stays_one_when_a_cell_has_a_bar_a_break_or_a_tag():
    written = table(["a", "b"], [["x|y", "two\nlines <b>"]])
    assert written.splitlines() == ["| a | b |", "| --- | --- |", "| x\\|y | two lines &lt;b> |"]


ANSWER = {
    "decision": "HOLD",
    "session": "2018-06-29",
    "as_of": "2018-06-28",
    "decided_at": "2018-06-29T05:30:00+00:00",
    "model_id": None,
    "reasons": ["^GSPC: stale"],
    "weights": {"PUST.PA": 0.1234, "CASH": 0.8766},
    "data": {"findings": [{"severity": "error", "rule": "stale-series", "subject": "^GSPC", "message": "stale"}]},
}
ORDERS = {"account": {"value_eur": 12345.6, "cash_eur": 10822.1}, "orders": [], "why": "the day is HOLD"}


def test_decision_text_of_a_hold_says_why_what_is_held_and_that_nothing_is_ordered():
    text = decision_text(ANSWER, ORDERS, "live")
    assert text.startswith(
        "# HOLD for session 2018-06-29\n\nAs of 2018-06-28, decided on 2018-06-29 05:30 UTC. Model: none."
    )
    assert "- ^GSPC: stale" in text
    assert "## Weights held\n\n| line | weight |\n| --- | --- |\n| PUST.PA | 12.34 % |\n| CASH | 87.66 % |" in text
    assert "Account 12 345.60 EUR, of which cash 10 822.10 EUR.\n\nNone: the day is HOLD" in text
    assert "| error | stale-series | ^GSPC | stale |" in text
    assert "Sample" not in text


def test_decision_text_of_the_sample_says_that_it_is_no_recommendation():
    assert decision_text(ANSWER, ORDERS, "sample").startswith("*Sample data: nothing here is a recommendation.*")
