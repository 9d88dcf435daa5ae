"""A decision as Markdown, from the same documents that the commands print with --json."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WHOLE_PERCENT = 100
SAMPLE = "*Sample data: nothing here is a recommendation.*"


def decision_text(answer: Mapping[str, Any], orders: Mapping[str, Any], source: str) -> str:
    """Tell the decision, its reasons, weights, orders and findings."""
    account = orders["account"]
    parts = [
        *([SAMPLE] if source == "sample" else []),
        f"# {answer['decision']} for session {answer['session']}",
        f"As of {answer['as_of']}, decided on {_instant(answer['decided_at'])}. Model: {answer['model_id'] or 'none'}.",
        "## Why",
        *_bullets(answer["reasons"]),
        "## Weights" if answer["decision"] == "TARGET" else "## Weights held",
        table(
            ["line", "weight"],
            [[line, f"{weight * WHOLE_PERCENT:.2f} %"] for line, weight in answer["weights"].items()],
        ),
        "## Orders",
        f"Account {_money(account['value_eur'])} EUR, of which cash {_money(account['cash_eur'])} EUR.",
        _orders(orders),
        "## Findings",
        _findings(answer["data"]["findings"]),
    ]
    return "\n\n".join(part for part in parts if part)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table; a bar or line break in a cell cannot break it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _instant(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _money(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ")


def _bullets(sentences: Iterable[str]) -> list[str]:
    return ["\n".join(f"- {_cell(sentence)}" for sentence in sentences)]


def _orders(orders: Mapping[str, Any]) -> str:
    if not orders["orders"]:
        return f"None: {_cell(orders['why'])}"
    rows = [_order(item) for item in orders["orders"]]
    after = f"\n\nCash after: {_money(orders['cash_after_eur'])} EUR."
    return table(["side", "shares", "line", "price EUR", "fee EUR", "reason"], rows) + after


def _order(item: Mapping[str, Any]) -> list[object]:
    price, fee = f"{item['price_eur']:.4f}", f"{item['fee_eur']:.2f}"
    return [item["side"], item["quantity"], item["ticker"], price, fee, item["reason"]]


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return "None."
    told = ("severity", "rule", "subject", "message")
    return table(told, [[finding[name] for name in told] for finding in findings])
