"""Render the page and write it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from portfolio.atomic import replace_text
from portfolio.findings import Severity
from portfolio.report import wording
from portfolio.report.regime_chart import regime_charts
from portfolio.report.weights_chart import WeightRow, weights_chart
from portfolio.universe import CASH

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.findings import Finding
    from portfolio.report.data import FreshnessRow, OrderRow, ReportData

FINDINGS_SHOWN = 100  # a flood is told by its count; the rows are in the store
SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class FindingsView:
    """Findings, gravest first, and how many of each severity."""

    shown: tuple[Finding, ...]
    total: int
    counts: tuple[tuple[str, int], ...]


def render_page(data: ReportData) -> str:
    """Return the page as one HTML text; the same data gives the same text."""
    rows = weight_rows(data)
    return (
        _environment()
        .get_template("page.html")
        .render(
            data=data,
            css=_css(),
            headline=wording.headline(data),
            orders=sells_first(data.orders.orders),
            rows=rows,
            findings=findings_view(data.findings),
            basis={row.symbol: row.basis for row in data.freshness if row.basis != "observed"},
            made=made_groups(data.freshness),
            weights_chart=weights_chart(rows, data.limits, "kept" if data.decision.decision == "HOLD" else "target"),
            regime_charts=regime_charts(data.regime),
        )
    )


def write_page(path: Path, html: str) -> None:
    """Write the page so that a reader sees the old one or the new one, never half of one."""
    replace_text(path, html)


def sells_first(orders: tuple[OrderRow, ...]) -> list[OrderRow]:
    """Order the proposals as they are to be placed: what brings cash before what needs it."""
    return sorted(orders, key=lambda order: order.side != "sell")


def weight_rows(data: ReportData) -> list[WeightRow]:
    """Join held, target and planned weights per line: the universe's order, then strangers, then CASH."""
    target, held = data.decision.weights, data.account.weights
    after, before = data.orders.weights_after, data.decision.target_before
    names = {item.ticker: item.name for item in data.instruments}
    strangers = sorted({*target, *held, *(after or {})} - {*names, CASH})
    return [
        WeightRow(
            ticker=ticker,
            name=names.get(ticker, ""),
            held=held.get(ticker, 0.0),
            target=target.get(ticker, 0.0),
            after=None if after is None else after.get(ticker, 0.0),
            before=None if before is None else before.get(ticker, 0.0),
        )
        for ticker in [*names, *strangers, CASH]
    ]


def made_groups(freshness: tuple[FreshnessRow, ...]) -> list[tuple[tuple[str, str], list[str]]]:
    """Gather the symbols that are not observed under what they are and what they are made of."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in freshness:
        if row.basis != "observed":
            groups.setdefault((row.basis, row.made_from), []).append(row.symbol)
    return list(groups.items())


def findings_view(findings: tuple[Finding, ...]) -> FindingsView:
    """Sort findings by severity, keep their order otherwise, and count them."""
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    seen = [finding.severity for finding in findings]
    counts = tuple((str(severity), seen.count(severity)) for severity in SEVERITIES if severity in seen)
    return FindingsView(tuple(ordered[:FINDINGS_SHOWN]), len(ordered), counts)


def _css() -> Markup:
    text = resources.files("portfolio.report").joinpath("templates", "page.css").read_text("utf-8")
    return Markup(text)  # nosec B704  # noqa: S704  # our own file, no data in it


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = PackageLoader("portfolio.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    names = (
        "counted",
        "day",
        "day_full",
        "grouped",
        "instant",
        "money",
        "percent",
        "points",
        "price",
        "probability",
        "unbroken",
        "weight",
    )
    environment.filters |= {name: getattr(wording, name) for name in names}
    return environment
