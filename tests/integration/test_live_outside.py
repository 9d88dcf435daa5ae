"""The stub of the outside world tells what the services would: shown on a drawn market of five sessions."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.days import paris
from tests.support.outside import Fault, serving
from tests.support.outside.edits import add_dividend, add_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.outside import Stub

ROOT = Path(__file__).parents[2]
BARS = """\
date,open,high,low,close,volume
2018-06-25,100,104,98,102,1000
2018-06-26,102,106,100,104,1100
2018-06-27,104,108,102,106,1200
2018-06-28,106,110,104,108,1300
2018-06-29,108,112,106,110,1400
"""
SERIES = """\
date,value,realtime_start
2018-04-01,250.5,2018-05-10
2018-04-01,250.9,2018-06-12
2018-05-01,251.6,2018-06-12
"""
DAILY = "date,value\n2018-06-27,2.83\n2018-06-28,\n2018-06-29,2.85\n"


@pytest.fixture
def market(tmp_path: Path) -> Path:
    for name, text in {"prices/X.PA": BARS, "fred/CPI": SERIES, "fred/DGS10": DAILY}.items():
        target = tmp_path / f"{name}.csv"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    meta = {"currency": "EUR", "exchangeTimezoneName": "Europe/Paris", "instrumentType": "ETF", "exchangeName": "PAR"}
    (tmp_path / "meta.json").write_text(json.dumps({"X.PA": meta}))
    return tmp_path


@pytest.fixture
def stub(market: Path) -> Iterator[Stub]:
    with serving(market) as stub:
        yield stub


def get(stub: Stub, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(stub.url + path, timeout=5) as answer:  # noqa: S310  # our own stub
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def chart(stub: Stub, query: str = "range=max&events=div,splits") -> dict[str, Any]:
    status, body = get(stub, f"/yahoo/v8/finance/chart/X.PA?{query}")
    assert status == 200
    return json.loads(body)["chart"]["result"][0]


def closes(stub: Stub) -> list[float | None]:
    return chart(stub)["indicators"]["quote"][0]["close"]


def observations(stub: Stub, query: str) -> list[dict[str, str]]:
    status, body = get(stub, f"/fred/series/observations?api_key={stub.settings['FRED_API_KEY']}&{query}")
    assert status == 200
    return [row.attrib for row in ET.fromstring(body)]  # noqa: S314  # our own stub


def test_chart_stands_in_new_shares_when_a_split_follows(market):
    add_split(market, "X.PA", date(2018, 6, 28), 2.0)
    with serving(market) as stub:
        quote = chart(stub)["indicators"]["quote"][0]
        split = next(iter(chart(stub)["events"]["splits"].values()))
    assert quote["close"] == [51.0, 52.0, 53.0, 54.0, 55.0]
    assert quote["volume"] == [2000, 2200, 2400, 2600, 2800]
    assert (split["numerator"], split["denominator"], split["splitRatio"]) == (2.0, 1.0, "2:1")


def test_chart_knows_no_split_before_its_day(market):
    add_split(market, "X.PA", date(2018, 6, 28), 2.0)
    with serving(market) as stub:
        stub.at(paris("2018-06-28 07:30"))
        assert closes(stub) == [102.0, 104.0, 106.0]
        assert "events" not in chart(stub)


def test_dividend_stands_in_new_shares_and_lowers_the_adjusted_close_before_it(market):
    add_dividend(market, "X.PA", date(2018, 6, 27), 4.0)  # 104 before: 1 - 4/104 of it is left
    add_split(market, "X.PA", date(2018, 6, 29), 2.0)
    with serving(market) as stub:
        answer = chart(stub)
    dividend = next(iter(answer["events"]["dividends"].values()))
    assert dividend["amount"] == 2.0
    assert answer["indicators"]["quote"][0]["close"] == [51.0, 52.0, 51.0, 52.0, 53.0]
    assert answer["indicators"]["adjclose"][0]["adjclose"] == pytest.approx([51 * 50 / 52, 50.0, 51.0, 52.0, 53.0])


def test_bars_are_stamped_with_the_open_and_the_running_one_with_the_last_trade(stub):
    stub.at(paris("2018-06-28 11:00"))
    answer = chart(stub)
    assert answer["timestamp"][-2:] == [
        int(paris("2018-06-27 09:00").timestamp()),
        int(paris("2018-06-28 11:00").timestamp()),
    ]
    assert answer["indicators"]["quote"][0]["close"][-1] == 107.0  # half-way from 106 to 108


def test_chart_is_cut_to_the_period_asked_for(stub):
    first, last = (int(paris(f"2018-06-{day} 00:00").timestamp()) for day in (26, 28))
    answer = chart(stub, f"period1={first}&period2={last}")
    assert answer["indicators"]["quote"][0]["close"] == [104.0, 106.0]


def test_crumb_is_refused_when_no_cookie_comes_with_it(stub):
    assert get(stub, "/yahoo/v1/test/getcrumb")[0] == 401


def test_unknown_symbol_is_not_found(stub):
    status, body = get(stub, "/yahoo/v8/finance/chart/Y.PA?range=1d")
    assert (status, json.loads(body)["chart"]["error"]["code"]) == (404, "Not Found")


def test_vintage_of_a_day_is_served_when_real_time_is_that_day(stub):
    assert [
        row["value"] for row in observations(stub, "series_id=CPI&realtime_start=2018-06-01&realtime_end=2018-06-01")
    ] == ["250.5"]
    assert [row["value"] for row in observations(stub, "series_id=CPI")] == ["250.9", "251.6"]


def test_all_vintages_are_served_when_all_of_real_time_is_asked_for(stub):
    rows = observations(stub, "series_id=CPI&realtime_start=1776-07-04&realtime_end=9999-12-31")
    assert [(row["date"], row["value"], row["realtime_start"], row["realtime_end"]) for row in rows] == [
        ("2018-04-01", "250.5", "2018-05-10", "2018-06-11"),
        ("2018-04-01", "250.9", "2018-06-12", "9999-12-31"),
        ("2018-05-01", "251.6", "2018-06-12", "9999-12-31"),
    ]


def test_daily_value_is_printed_the_next_business_day_and_a_missing_one_is_a_dot(stub):
    stub.at(paris("2018-06-28 07:30"))
    assert observations(stub, "series_id=DGS10") == []
    stub.at(paris("2018-06-30 07:30"))
    assert [row["value"] for row in observations(stub, "series_id=DGS10")] == ["2.83", "."]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "api_key is not set"),
        ("short", "not a 32 character alpha-numeric lower-case string"),
        ("k" * 32, "api_key is not registered"),
    ],
)
def test_fred_refuses_a_key_it_does_not_know(stub, key, says):
    status, body = get(stub, f"/fred/series/observations?series_id=CPI&api_key={key}")
    assert status == 400
    assert says in ET.fromstring(body).attrib["message"]  # noqa: S314  # our own stub


def test_fault_strikes_as_often_as_it_says_and_only_its_symbol(stub):
    stub.inject(Fault("rate-limited", "X.PA", times=2), Fault("server-error", "DGS10"))
    assert [get(stub, "/yahoo/v8/finance/chart/X.PA?range=1d")[0] for _ in range(3)] == [429, 429, 200]
    assert observations(stub, "series_id=CPI")
    assert [asked.status for asked in stub.requests] == [429, 429, 200, 200]


def test_fault_strikes_while_the_stubs_clock_is_within_its_time(stub):
    stub.inject(Fault("nan-tail", since=paris("2018-06-28 00:00"), until=paris("2018-06-29 00:00"), rows=1))
    seen = {}
    for day in (27, 28, 29):
        stub.at(paris(f"2018-06-{day} 20:00"))
        seen[day] = closes(stub)[-1]
    assert seen == {27: 106.0, 28: None, 29: 110.0}


def test_ping_is_noted_with_its_body(stub):
    request = urllib.request.Request(  # noqa: S310  # our own stub
        f"{stub.settings['PORTFOLIO_HEALTHCHECKS_URL']}/3f8ad2c1-0000-4000-8000-000000000000/fail", data=b"HOLD"
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # our own stub
        assert answer.read() == b"OK"
    asked = stub.requests[-1]
    assert (asked.service, asked.endpoint, asked.body) == ("ping", "fail", "HOLD")


def test_fault_that_does_not_exist_is_refused_with_the_names_that_do():
    with pytest.raises(ValueError, match=r"choose of .*nan-tail"):
        Fault("no-such")


def test_shell_gets_the_settings_to_export_and_the_server_ends_when_it_is_told_to(market):
    command = [sys.executable, "-m", "tests.support.outside", "--market", str(market), "--fault", "server-error:X.PA*1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            exported = dict(server.stdout.readline().removeprefix("export ").rstrip().split("=", 1) for _ in range(6))
            chart_at = f"{exported['PORTFOLIO_YAHOO_URL']}/v8/finance/chart/X.PA?range=1d"
            with pytest.raises(urllib.error.HTTPError, match="500") as refused:
                urllib.request.urlopen(chart_at, timeout=5)  # noqa: S310  # our own stub
            refused.value.close()
        finally:
            server.terminate()
        assert server.wait(timeout=20) == 0
    assert exported.keys() >= {"PORTFOLIO_FRED_URL", "PORTFOLIO_HEALTHCHECKS_URL", "FRED_API_KEY"}
