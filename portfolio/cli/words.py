"""Answers in words, for a person at a terminal: made from the same documents that --json prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portfolio.allocation.policy import shown_probabilities
from portfolio.allocation.weights import WHOLE_BP

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLE_NOTE = (
    "Sample data: real index closes up to 2018-12-31, ETF lines reconstructed from them. "
    "Nothing here is a recommendation."
)
NOT_LOGGED = "Not logged: a later decision is in the log, or the session before has none yet. The page stays as it was."


def day_in_words(answer: Mapping[str, Any], orders: Mapping[str, Any], *, page: str, source: str) -> str:
    """Tell the whole day."""
    parts = [signal_in_words(answer, source), orders_in_words(orders), page]
    return "\n\n".join(parts)


def signal_in_words(answer: Mapping[str, Any], source: str) -> str:
    """Tell the decision: weights, regime, reasons, findings."""
    lines = [f"{answer['decision']} for session {answer['session']} (as of {answer['as_of']})"]
    if source == "sample":
        lines.insert(0, SAMPLE_NOTE + "\n")
    probabilities = answer["regime"]["probabilities"]
    if probabilities:
        lines.append(f"Regime: {shown_probabilities(probabilities)}  (model {answer['model_id']})")
    lines += ["", "Weights"] if answer["decision"] == "TARGET" else ["", "Weights held"]
    in_bp = {line: round(weight * WHOLE_BP) for line, weight in answer["weights"].items()}
    lines += [f"  {line:<9} {points / 100:7.2f} %" for line, points in (in_bp | {"sum": sum(in_bp.values())}).items()]
    lines += ["", "Why", *(f"  - {reason}" for reason in answer["reasons"])]
    findings = [item for item in answer["data"]["findings"] if item["severity"] != "info"]
    if findings:
        lines += ["", "Findings", *(f"  {item['severity']:<8} {item['message']}" for item in findings)]
    return "\n".join(lines)


def orders_in_words(orders: Mapping[str, Any]) -> str:
    """Tell the account and its orders, or why there are none."""
    account = _account_in_words(orders["account"])
    if not orders["orders"]:
        return f"{account}\nNo orders: {orders['why']}"
    lines = [account, "Orders (whole shares, at the last close)"]
    lines += [
        f"  {item['side']:<4} {item['quantity']:>6} {item['ticker']:<9} at {item['price_eur']:>10.4f} EUR, "
        f"fee {item['fee_eur']:>7.2f} EUR  ({item['reason']})"
        for item in orders["orders"]
    ]
    lines.append(f"  cash after {_money(orders['cash_after_eur'])} EUR")
    lines += [f"  {item['severity']}: {item['message']}" for item in orders["findings"]]
    return "\n".join(lines)


def _account_in_words(account: Mapping[str, Any]) -> str:
    value = f"Account {_money(account['value_eur'])} EUR, of which cash {_money(account['cash_eur'])} EUR"
    if not account["ledger_entries"]:
        return f"{value}: the ledger is empty, INITIAL_CASH is taken. Book what you trade: portfolio ledger --help"
    entries, newest = account["ledger_entries"], account["newest_entry"]
    return f"{value}: {entries} ledger entries, the newest of {newest}. What was traded since is not in it."


def _money(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ")
