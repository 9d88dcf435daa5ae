"""The whole day on the sample, as someone meets it who has just installed the package in an empty folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.store.connection import open_reader
from portfolio.universe import CASH, isin_check_digit_holds
from tests.support.command import contents, document, portfolio

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

LEVERAGED = ("LQQ.PA", "CL2.PA")
SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105  # looks like a key of FRED and is none
TABLES = ("raw.prices", "raw.actions", "raw.macro", "raw.quarantine", "out.signals", "out.orders", "out.models")


@dataclass(frozen=True)
class Runs:
    """A first run told in words and a second one as JSON, with the store's row counts after each."""

    folder: Path
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]
    rows_after_first: dict[str, int]
    rows_after_second: dict[str, int]
    files_after_first: dict[str, str]

    @property
    def signal(self) -> dict[str, Any]:
        return document(self.second)["signal"]

    @property
    def orders(self) -> dict[str, Any]:
        return document(self.second)["orders"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("empty")
    first = portfolio(folder, "run", "--source", "sample")
    after_first, files = rows(folder), contents(folder)
    second = portfolio(folder, "run", "--source", "sample", "--json")
    return Runs(folder, first, second, after_first, rows(folder), files)


def rows(folder: Path) -> dict[str, int]:
    with open_reader(folder / "data/sample/portfolio.duckdb", "sample") as store:
        return {
            table: store.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608  # ours
            for table in TABLES
        }


def basis_points(weights: dict[str, float]) -> dict[str, int]:
    """Weights counted in basis points, each of which must be whole."""
    points = {line: round(weight * 10_000) for line, weight in weights.items()}
    assert all(abs(weight * 10_000 - points[line]) < 1e-6 for line, weight in weights.items())
    return points


def test_run_ends_well_and_tells_weights_orders_reasons_and_page_when_the_folder_was_empty(runs):
    assert runs.first.returncode == 0, runs.first.stderr
    for told in ("TARGET for session 2019-01-02", "Weights", "100.00 %", "Why", "Orders", "cash after", "Page: "):
        assert told in runs.first.stdout
    assert "reconstructed" in runs.first.stdout
    assert "PAEEM.PA" in runs.first.stdout.split("Findings")[1]


@pytest.mark.parametrize("which", ["decided", "after"])
def test_weights_sum_to_one_in_basis_points_and_keep_the_limits(runs, which):
    points = basis_points(runs.signal["weights"] if which == "decided" else runs.orders["weights_after"])
    assert sum(points.values()) == 10_000
    assert min(points.values()) >= 0
    assert max(value for line, value in points.items() if line != CASH) <= 4000
    assert sum(points[line] for line in LEVERAGED) <= 3000
    assert points[CASH] >= 1000


def test_orders_are_whole_shares_that_fit_the_cash_with_their_fees(runs):
    cash, orders = Decimal(10_000), runs.orders["orders"]
    assert orders
    for order in orders:
        price, fee = Decimal(str(order["price_eur"])), Decimal(str(order["fee_eur"]))
        amount = (price * order["quantity"]).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert isinstance(order["quantity"], int)
        assert order["quantity"] > 0
        assert order["side"] == "BUY"  # nothing is held yet
        assert isin_check_digit_holds(order["isin"])
        assert order["reason"]
        assert fee >= Decimal("0.005") * amount > fee - Decimal("0.01")
        cash -= amount + fee
    assert cash >= 0
    assert Decimal(str(runs.orders["cash_after_eur"])) == cash


def test_weights_after_are_those_of_the_ordered_shares(runs):
    values = {order["ticker"]: order["price_eur"] * order["quantity"] for order in runs.orders["orders"]}
    total = sum(values.values()) + runs.orders["cash_after_eur"]
    after = runs.orders["weights_after"]
    assert {line for line, weight in after.items() if weight} == {*values, CASH}
    for line, value in values.items():
        assert after[line] == pytest.approx(value / total, abs=1.01e-4)  # a basis point of rounding
        assert after[line] == pytest.approx(runs.signal["weights"][line], abs=0.005)  # a share is 20 EUR at most


def test_page_is_whole_when_the_run_has_ended(runs):
    page = runs.folder / "data/sample/report/index.html"
    assert f"Page: {page}" in runs.first.stdout
    text = page.read_text("utf-8")
    assert text.rstrip().endswith("</html>")
    assert re.search(r"<h1[^>]*>TARGET\s+for\s+Wednesday\s+2\s+January\s+2019", text)  # spaces may be unbreakable
    assert 'src="http' not in text
    assert "reconstructed" in text


def test_second_run_adds_no_row_and_answers_the_same(runs):
    assert runs.second.returncode == 0
    assert runs.rows_after_second == runs.rows_after_first
    assert runs.rows_after_first["out.signals"] == runs.rows_after_first["out.orders"] == 1
    assert runs.rows_after_first["raw.prices"] > 30_000
    told = runs.first.stdout.split("Weights\n")[1].split("\n\n")[0].splitlines()
    assert [line.split() for line in told] == [
        [line, f"{weight * 100:.2f}", "%"] for line, weight in {**runs.signal["weights"], "sum": 1.0}.items()
    ]


def test_run_leaves_only_the_store_its_copy_the_model_and_the_page_behind(runs):
    names = sorted(name for name in runs.files_after_first if "/models/" not in name)
    assert names == [
        "data/sample/portfolio.duckdb",
        "data/sample/portfolio.published.duckdb",
        "data/sample/report/index.html",
    ]
    models = [name for name in runs.files_after_first if "/models/" in name]
    assert [name.rpartition("/")[2] for name in models] == ["manifest.json", "model.json"]


def test_run_logs_json_lines_with_one_run_id_on_stderr_when_no_terminal_is_there(runs):
    lines = [json.loads(line) for line in runs.first.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "store created",
        "prices and macro values stored",
        "decided",
        "orders planned",
        "page written",
    ]
    assert len({line["run_id"] for line in lines}) == 1


SIGNAL_KEYS = {"session", "as_of", "decided_at", "decision", "regime", "weights", "limits_bound", "reasons", "model_id"}


def test_signal_document_has_what_outside_programs_rely_on(runs):
    ended = portfolio(runs.folder, "signal", "--json")
    signal = document(ended)
    assert ended.returncode == 0
    assert {*SIGNAL_KEYS, "data"} <= signal.keys()
    assert (signal["session"], signal["as_of"]) == ("2019-01-02", "2018-12-31")
    assert signal["decided_at"] == "2019-01-02T06:30:00+00:00"
    assert signal["decision"] == "TARGET"
    assert signal["regime"]["labels"] == list(signal["regime"]["probabilities"]) == ["calm", "stressed"]
    assert sum(signal["regime"]["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    assert {row["symbol"] for row in signal["data"]["freshness"]} >= {"^GSPC", "^NDX", "WPEA.PA"}
    assert {finding["rule"] for finding in signal["data"]["findings"]} >= {"no-series"}
    assert {name: signal[name] for name in SIGNAL_KEYS} == {name: runs.signal[name] for name in SIGNAL_KEYS}
    assert rows(runs.folder) == runs.rows_after_second


def test_orders_document_has_what_outside_programs_rely_on(runs):
    ended = portfolio(runs.folder, "orders", "--json")
    orders = document(ended)
    assert ended.returncode == 0
    assert {"session", "orders", "cash_after_eur", "weights_after"} <= orders.keys()
    for order in orders["orders"]:
        assert {"ticker", "isin", "side", "quantity", "price_eur", "fee_eur", "reason"} <= order.keys()
    assert orders == runs.orders
    assert rows(runs.folder) == runs.rows_after_second


def test_health_document_is_one_and_well_after_a_run(runs):
    ended = portfolio(runs.folder, "health", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    health = document(ended)
    assert health["status"] == "HEALTHY"
    assert {check["check"] for check in health["checks"]} == {
        *("store", "schema", "runs", "signal", "orders", "model", "prices", "macro", "findings", "live store"),
        *("flows", "backups", "disk", "leftovers"),
    }


def test_config_document_is_one_and_hides_the_secret(runs):
    ended = portfolio(runs.folder, "config", "show", "--json", settings={"FRED_API_KEY": SECRET})
    assert ended.returncode == 0
    shown = document(ended)
    assert shown["settings"]["FRED_API_KEY"] == "(set, hidden)"
    assert shown["settings"]["MAX_SINGLE_POSITION"] == 0.4
    assert SECRET not in ended.stdout + ended.stderr


def test_ledger_document_is_one_and_starts_from_the_initial_cash(runs):
    ended = portfolio(runs.folder, "ledger", "show", "--json", settings={"INITIAL_CASH": "1234.50"})
    assert ended.returncode == 0
    assert document(ended) == {
        "as_of": "2019-01-02",
        "entries": [],
        "positions": {},
        "cash_eur": "1234.50",
        "invested_eur": "1234.50",
    }


def test_run_goes_on_from_the_ledger_and_sells_before_it_buys_when_one_was_imported(runs):
    ledger = runs.folder / "ledger.csv"
    ledger.write_text(
        "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
        "2018-12-03,deposit,,,,,5000,\n"
        "2018-12-04,buy,CL2.PA,150,20,15,,\n"
    )
    assert portfolio(runs.folder, "ledger", "import", str(ledger)).returncode == 0
    ended = portfolio(runs.folder, "run", "--json")
    assert ended.returncode == 0
    answer = document(ended)
    sides = [order["side"] for order in answer["orders"]["orders"]]
    assert sides == ["SELL", "BUY", "BUY"]
    assert answer["signal"]["weights"] == runs.signal["weights"]
    assert any("drifted beyond the limit" in reason for reason in answer["signal"]["reasons"])
    shown = document(portfolio(runs.folder, "ledger", "show", "--json"))
    assert shown["positions"] == {"CL2.PA": {"quantity": 150, "cost_eur": "3015.00"}}
    assert shown["cash_eur"] == "1985.00"
