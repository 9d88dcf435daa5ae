"""The page of a day on the sample with a ledger of one's own: what is logged is what is shown."""

import html
import re
from pathlib import Path

import pytest

from tests.support.command import document, portfolio

EXAMPLE = Path(__file__).parents[3] / "docs" / "ledger-example.csv"
DEAR = {"PORTFOLIO_FEE_MINIMUM_EUR": "30"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A day decided and planned from the example ledger, at a broker whose smallest fee is 30 EUR."""
    folder = tmp_path_factory.mktemp("day")
    assert portfolio(folder, "ledger", "import", str(EXAMPLE)).returncode == 0
    assert portfolio(folder, "run", "--source", "sample", settings=DEAR).returncode == 0
    return folder


def words(folder):
    """The page's words with ordinary spaces."""
    page = (folder / "data/sample/report/index.html").read_text()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.split("</style>")[1])).split())


def cents(text):
    return round(100 * float(text.replace(" ", "").replace("\u2212", "-")))


def test_page_names_the_driver_that_another_index_stands_in_for(folder):
    assert "Index: Mean of S&P 500 and Nasdaq-100 (stand-in)." in words(folder)


def test_page_s_cash_and_orders_add_up_to_the_cent_and_equal_the_plan(folder):
    plan = document(portfolio(folder, "orders", "--json", settings=DEAR))
    found = re.search(r"Cash before (\S.*?) EUR Orders and fees (\S.*?) EUR Cash after (\S.*?) EUR", words(folder))

    assert found is not None
    before, change, after = (cents(text) for text in found.groups())
    assert before + change == after
    assert before == 5353_69  # the example ledger's cash by hand
    assert after == round(100 * plan["cash_after_eur"])
    flows = [
        (1 if order["side"] == "SELL" else -1) * order["amount_eur"] - order["fee_eur"] for order in plan["orders"]
    ]
    assert change == round(100 * sum(flows))


def test_page_shows_the_heavy_fees_that_the_plan_warns_of(folder):
    findings = document(portfolio(folder, "orders", "--json", settings=DEAR))["findings"]

    assert {finding["rule"] for finding in findings} >= {"fee-heavy"}
    assert all(" ".join(finding["message"].split()) in words(folder) for finding in findings)


def test_page_says_that_the_plan_is_outdated_when_the_ledger_has_changed_since(folder, tmp_path):
    assert "These orders counted on" not in words(folder)
    longer = tmp_path / "longer.csv"
    longer.write_text(f"{EXAMPLE.read_text()}2018-12-28,deposit,,,,,100.00,\n")
    assert portfolio(folder, "ledger", "import", str(longer)).returncode == 0
    assert portfolio(folder, "report").returncode == 0

    assert "These orders counted on 5353.69 EUR of cash and the ledger has 5453.69 EUR" in words(folder)


def test_page_values_a_line_at_its_cost_when_it_never_had_a_close(tmp_path):
    ledger = tmp_path / "my.csv"
    ledger.write_text(
        "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
        "2018-01-02,deposit,,,,,10000.00,\n2018-02-01,buy,PAEEM.PA,100,21.50,1.00,,\n"
    )
    assert portfolio(tmp_path, "ledger", "import", str(ledger)).returncode == 0
    assert portfolio(tmp_path, "run", "--source", "sample").returncode == 3  # what has no price holds the day

    assert "PAEEM.PA Amundi PEA Emerging Markets UCITS ETF Acc 100 at cost, no price 2 151.00 EUR" in words(tmp_path)
