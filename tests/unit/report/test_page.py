from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from portfolio.findings import Finding, Severity
from portfolio.report.data import LimitRow, OrdersPart, ReportData
from portfolio.report.page import FINDINGS_SHOWN, render_page

HOSTILE = "<script>alert('x')</script>&\"'"
SECTIONS = ["decision", "orders", "weights", "why", "regime", "log", "positions", "data", "model", "not"]


def plain(html: str) -> str:
    """The page's words without tags and with ordinary spaces."""
    return re.sub(r"<[^>]*>", "", html).replace("\u00a0", " ")


def number(cell: str) -> float:
    """What a person reads in a cell, as a number."""
    return float(re.sub(r"[^0-9.\-]", "", cell.replace("\u2212", "-")))


@pytest.fixture(scope="module")
def html(report_data):
    return render_page(report_data)


@pytest.fixture(scope="module")
def page(html, read_page):
    return read_page(html)


@pytest.fixture(params=["full", "empty", "three states", "refused"])
def any_data(request, report_data, empty_data, make_regime):
    return {
        "full": report_data,
        "empty": empty_data,
        "three states": replace(report_data, regime=make_regime(labels=("calm", "neutral", "stressed"))),
        "refused": replace(report_data, orders=OrdersPart(why_none="Cash would fall to 9.8 %.", refused=True)),
    }[request.param]


def test_page_asks_nothing_of_the_outside(any_data, read_page):
    html = render_page(any_data)
    for tag, attributes in read_page(html).elements:
        assert tag not in {"script", "iframe", "object", "embed", "img", "form"}
        for name in ("src", "href", "srcset", "xlink:href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "@import" not in html
    assert "url(" not in html


def test_page_forbids_requests_to_the_browser_too(page):
    policies = [
        attributes["content"]
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    (policy,) = policies
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_page_is_well_formed_and_ids_are_unique(any_data, read_page):
    page = read_page(render_page(any_data))
    assert page.misnested == []
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    named = {
        identifier for _, attributes in page.elements for identifier in attributes.get("aria-labelledby", "").split()
    }
    linked = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    assert named | linked <= set(page.ids)


def test_page_has_every_section_in_order(any_data, read_page):
    page = read_page(render_page(any_data))
    assert [attributes["id"] for tag, attributes in page.elements if tag == "section"] == SECTIONS


def test_page_tables_can_be_read_aloud_and_scroll_by_themselves(page):
    assert len(page.tables) == [tag for tag, _ in page.elements].count("table")
    assert all(page.tables)  # every table has a caption
    scopes = {attributes.get("scope") for tag, attributes in page.elements if tag == "th"}
    assert scopes == {"col", "row"}
    tags = [(tag, attributes.get("class")) for tag, attributes in page.elements]
    assert all(tags[place - 1] == ("div", "scroll") for place, (tag, _) in enumerate(tags) if tag == "table")


def test_page_is_the_same_text_when_the_data_is_the_same(report_data, html):
    assert render_page(report_data) == html
    assert render_page(replace(report_data)) == html


def test_page_stays_small(html):
    assert len(html.encode()) < 600_000


def test_page_escapes_every_text_it_is_given(report_data):
    decision = replace(
        report_data.decision, reasons=(HOSTILE,), changes=(HOSTILE,), weights={HOSTILE: 0.4, "CASH": 0.6}
    )
    order = replace(report_data.orders.orders[0], ticker=HOSTILE, name=HOSTILE, isin=HOSTILE, reason=HOSTILE)
    position = replace(report_data.account.rows[0], ticker=HOSTILE, name=HOSTILE)
    series = replace(report_data.freshness[1], symbol=HOSTILE, name=HOSTILE, made_from=HOSTILE)
    assert report_data.regime
    assert report_data.model
    states = tuple(replace(state, label=HOSTILE) for state in report_data.model.states)
    gates = tuple(replace(gate, name=HOSTILE, value=HOSTILE, rule=HOSTILE) for gate in report_data.model.gates)
    renamed = {"stressed": HOSTILE}
    hostile = replace(
        report_data,
        decision=decision,
        orders=replace(report_data.orders, orders=(order,)),
        account=replace(report_data.account, rows=(position,)),
        freshness=(series,),
        findings=(Finding(Severity.ERROR, HOSTILE, HOSTILE, HOSTILE, None, HOSTILE),),
        limits=(LimitRow(HOSTILE, "at most", 0.4, 0.4, applies_to=(HOSTILE,)),),
        log=(replace(report_data.log[0], decision=HOSTILE, weights={HOSTILE: 1.0}),),
        run=replace(report_data.run, run_id=HOSTILE, release=HOSTILE, store_kind=HOSTILE),
        model=replace(
            report_data.model, model_id=HOSTILE, features=(HOSTILE,), note=HOSTILE, states=states, gates=gates
        ),
        regime=replace(
            report_data.regime,
            probabilities={renamed.get(label, label): p for label, p in report_data.regime.probabilities.items()},
            history=report_data.regime.history.rename(columns=renamed),
            driver_name=HOSTILE,
        ),
    )
    html = render_page(hostile)
    assert "<script" not in html
    assert "alert('x')" not in html
    assert html.count("&lt;script&gt;") > 30


def test_page_orders_equal_the_data_and_sells_come_first(report_data, page):
    header, *rows = page.tables["Orders, whole shares"]
    assert header == ["Side", "Quantity", "Line and ISIN", "Price estimate", "Amount", "Fee", "Reason"]
    assert [row[0] for row in rows] == ["sell", "sell", "sell", "sell", "buy"]
    shown = {row[2].split()[0]: row for row in rows}
    for order in report_data.orders.orders:
        row = shown[order.ticker]
        assert order.isin in row[2]
        assert order.name in row[2]
        assert number(row[1]) == order.quantity
        assert number(row[3]) == order.price_eur
        assert number(row[4]) == pytest.approx(order.quantity * order.price_eur, abs=0.005)
        assert number(row[5]) == order.fee_eur
        assert row[6] == order.reason


def test_page_cash_before_orders_and_after_add_up(html):
    found = re.search(
        r"Cash before(.*?) EUR Orders and fees(.*?) EUR Cash after(.*?) EUR", " ".join(plain(html).split())
    )
    assert found
    before, change, after = (number(text) for text in found.groups())
    # By hand: 3204.18 + 60*24.118 + 65*30.907 + 5*412.35 + 175*9.8612 - 3*61.42 - fees 37.14
    assert (before, change, after) == (3204.18, 7022.09, 10226.27)


def test_page_weights_equal_the_data_to_the_basis_point(report_data, page):
    header, *rows = page.tables["Weights, share of the account"]
    assert header == ["Line", "Target", "Held", "After orders", "After \u2212 target", "Last target"]
    assert [row[0].split()[0] for row in rows] == [*(item.ticker for item in report_data.instruments), "CASH"]
    assert sum(number(row[1]) for row in rows) == pytest.approx(100)
    for row in rows:
        ticker = row[0].split()[0]
        assert number(row[1]) == pytest.approx(report_data.decision.weights.get(ticker, 0) * 100)
        assert number(row[2]) == pytest.approx(report_data.account.weights.get(ticker, 0) * 100, abs=0.005)
        assert number(row[3]) == pytest.approx((report_data.orders.weights_after or {}).get(ticker, 0) * 100, abs=0.005)


def test_page_limits_show_slack_and_what_bound(report_data, read_page):
    limits = (
        LimitRow("Largest position", "at most", 0.4, 0.4, 0.42, 0.395, bound=True),
        LimitRow("Leveraged ETFs together", "at most", 0.3, 0.22, 0.2, 0.31),
        LimitRow("Cash", "at least", 0.1, 0.14, 0.12, 0.13),
    )
    _, *rows = read_page(render_page(replace(report_data, limits=limits))).tables["Limits and their slack"]
    assert [(row[0], row[5], row[6]) for row in rows] == [
        ("Largest position", "0.00 pt", "bound"),
        ("Leveraged ETFs together", "\u22121.00 pt", "breached"),
        ("Cash", "3.00 pt", "kept"),
    ]


def test_page_positions_equal_the_data(report_data, page):
    rows = page.tables["Positions at the close of 31 Dec 2018"][1:]
    for row, position in zip(rows, report_data.account.rows, strict=False):
        assert row[0].startswith(position.ticker)
        assert number(row[1]) == position.quantity
        assert number(row[3]) == pytest.approx(position.value_eur, abs=0.005)
        assert number(row[6]) == pytest.approx(position.gain_eur, abs=0.005)
    assert rows[-2][0] == "CASH"
    assert number(rows[-1][3]) == pytest.approx(report_data.account.total_eur, abs=0.005)


def test_page_says_what_is_sample_reconstructed_or_standing_in(report_data, html, page):
    assert "Sample data." in html
    freshness = page.tables["How many sessions each series is behind what is expected"]
    assert [row[2] for row in freshness[1:]] == [row.basis for row in report_data.freshness]
    for caption in ("Orders, whole shares", "Weights, share of the account", "Positions at the close of 31 Dec 2018"):
        made = [row for row in page.tables[caption] if any(cell.startswith(("LQQ.PA", "CL2.PA")) for cell in row)]
        assert made
        assert all("reconstructed" in " ".join(row) for row in made)
    assert "2x the daily return of the index, less financing" in html
    assert "NASDAQ Composite, real closes" in html


def test_page_calls_a_series_without_any_value_no_data(report_data, read_page):
    unknown = replace(report_data.freshness[0], symbol="PAEEM.PA", newest=None, sessions_behind=None)
    tables = read_page(render_page(replace(report_data, freshness=(unknown,)))).tables
    row = tables["How many sessions each series is behind what is expected"][1]
    assert row[1:] == ["n/a", "no data", "n/a", "31 Dec 2018"]


def test_page_leaves_out_the_share_of_the_window_when_no_state_tells_it(report_data, read_page, page):
    assert "Share of window" in page.tables["States of the model, calmest first"][0]
    states = tuple(replace(state, occupancy=None) for state in report_data.model.states)
    html = render_page(replace(report_data, model=replace(report_data.model, states=states)))
    assert "Share of window" not in read_page(html).tables["States of the model, calmest first"][0]


def test_page_has_no_sample_banner_when_the_store_is_live(report_data):
    live = replace(report_data, run=replace(report_data.run, store_kind="live"))
    assert "Sample data." not in render_page(live)


def test_page_puts_the_gravest_finding_first_and_counts_a_flood(report_data, read_page):
    warnings = tuple(
        Finding(Severity.WARNING, "stale", f"W{count}", "late", date(2018, 12, 28), "1") for count in range(150)
    )
    error = Finding(Severity.ERROR, "unit-flip", "^GSPC", "100 times too large", date(2018, 12, 31), "248570")
    html = render_page(replace(report_data, findings=(*warnings, error)))
    tables = read_page(html).tables
    (caption,) = [caption for caption in tables if caption.startswith("What the checks saw")]
    assert caption.endswith("100 of 151, the rest is in the store")
    assert len(tables[caption]) == 1 + FINDINGS_SHOWN
    assert tables[caption][1] == ["error", "^GSPC", "100 times too large", "31 Dec 2018", "248570", "unit-flip"]
    assert "1 error, 150 warnings" in plain(html)


def test_page_log_shows_weights_in_percent(page):
    header, first, *_ = page.tables["Decision log, newest first; weights in percent"]
    assert dict(zip(header, first, strict=True)) == {
        "Session": "31 Dec 2018", "Decision": "TARGET", "Stressed": "93.1 %", "WPEA.PA": "28.34", "PE500.PA": "12.55",
        "PUST.PA": "0.00", "PAEEM.PA": "0.00", "LQQ.PA": "0.75", "CL2.PA": "0.76", "CASH": "57.60",
        "Changed": "changed",
    }  # fmt: skip


def test_page_model_shows_failed_gates(report_data, read_page):
    assert report_data.model
    gates = (replace(report_data.model.gates[0], passed=False), *report_data.model.gates[1:])
    page = read_page(render_page(replace(report_data, model=replace(report_data.model, gates=gates))))
    assert [row[3] for row in page.tables["Gates of the fit"][1:]] == ["failed", "passed", "passed"]


def test_page_is_complete_when_the_day_is_on_hold_and_nothing_else_is_known(empty_data, read_page):
    html = render_page(empty_data)
    words = plain(html)
    for sentence in (
        "HOLD for Wednesday 2 January 2019: no orders, because closes of ^GSPC are 3 sessions behind.",
        "No orders. The decision is HOLD",
        "This is the first decision in this store",
        "No regime probabilities.",
        "No decision was logged before this one.",
        "The ledger is empty. The account is taken to be 10 000.00 EUR in cash",
        "The checks found nothing.",
        "No model took part in this decision.",
    ):
        assert sentence in words
    assert "Orders, whole shares" not in read_page(html).tables
    assert not re.search(r"\b(None|nan|inf)\b", words)


def test_page_is_complete_when_only_the_required_parts_are_given(report_data):
    bare = ReportData(replace(report_data.decision, weights={}, reasons=(), changes=()), report_data.run)
    assert "no orders, the account stays as it is" in plain(render_page(bare))


def test_page_tells_of_a_refused_plan(report_data):
    refused = OrdersPart(cash_before_eur=100.0, why_none="Cash would fall to 9.8 %, the rule is 10 %.", refused=True)
    words = plain(render_page(replace(report_data, orders=refused)))
    assert "the order plan was refused, so no orders." in words
    assert "Plan refused. Cash would fall to 9.8 %, the rule is 10 %." in words


def test_page_never_calls_its_probabilities_smoothed_and_says_what_they_are(html):
    assert "smooth" not in plain(html.split("</style>")[1]).lower()
    assert "no state looks ahead" in html
    assert "do not beat sma200" in html


def test_page_takes_amounts_from_the_plan_and_cash_adds_up_to_the_cent(report_data, read_page):
    # 205 x 4.903 is 1005.115: the plan takes 1005.12 from cash, and rounding it again would show 1005.11.
    order = replace(
        report_data.orders.orders[0], side="buy", quantity=205, price_eur=4.903, amount_eur=1005.12, fee_eur=5.03
    )
    orders = OrdersPart((order,), cash_before_eur=2000.0, cash_after_eur=989.85)
    html = render_page(replace(report_data, orders=orders))
    (row,) = read_page(html).tables["Orders, whole shares"][1:]
    assert row[4:6] == ["1 005.12 EUR", "5.03 EUR"]
    assert "Cash before2 000.00 EUR Orders and fees\u22121 010.15 EUR Cash after989.85 EUR" in " ".join(
        plain(html).split()
    )


def test_page_shows_findings_about_the_plan_under_its_orders(report_data):
    heavy = Finding(Severity.WARNING, "fee-heavy", "WPEA.PA", "The fee is 9.5 % of the order.", None, "30.00")
    html = render_page(replace(report_data, orders=replace(report_data.orders, findings=(heavy,))))
    section = html[html.index('<section id="orders"') : html.index('<section id="weights"')]
    assert plain(section).strip().endswith("warning The fee is 9.5 % of the order.")
    assert "plan-findings" not in render_page(report_data).split("</style>")[1]


def test_page_says_that_a_line_stands_at_its_cost_when_it_has_no_price(report_data, read_page):
    position = replace(report_data.account.rows[0], at_cost=True, gain_eur=None)
    tables = read_page(render_page(replace(report_data, account=replace(report_data.account, rows=(position,))))).tables
    row = tables["Positions at the close of 31 Dec 2018"][1]
    assert row[2] == "at cost, no price"
    assert row[6] == "n/a"


def test_page_labels_every_cell_of_the_tables_that_stack_on_a_phone(html, read_page):
    for caption in ("Orders, whole shares", "Positions at the close of 31 Dec 2018"):
        start = html.index(f"<caption>{caption.split()[0]}")
        table = read_page(
            html[start - len('<table role="table" class="stacked">\n') : html.index("</table>", start) + 8]
        )
        assert table.elements[0] == ("table", {"role": "table", "class": "stacked"})
        header = table.tables[caption][0]
        labels = [attributes["data-label"] for tag, attributes in table.elements if "data-label" in attributes]
        assert set(labels) == set(header) - {"Line", "Line and ISIN"}
        roles = {tag: attributes.get("role") for tag, attributes in table.elements if tag in {"tr", "td", "tbody"}}
        assert roles == {"tr": "row", "td": "cell", "tbody": "rowgroup"}
        scopes = {attributes["scope"]: attributes.get("role") for tag, attributes in table.elements if tag == "th"}
        assert scopes == {"col": "columnheader", "row": "rowheader"}
