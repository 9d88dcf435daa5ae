"""`portfolio update --source live` as a user runs it, against the stub: what it prints, asks and leaves behind."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.support.command import document, portfolio
from tests.support.days import paris
from tests.support.outside import Fault, market_of_sample, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.outside import Stub

LINES, SERIES = 8, 4
AS_OF = "2018-06-29T07:30+02:00"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_of_sample(tmp_path_factory.mktemp("market"), date(2018, 1, 2), date(2018, 7, 13))


@pytest.fixture
def stub(market: Path) -> Iterator[Stub]:
    with serving(market) as stub:
        stub.at(paris("2018-06-29 07:30"))
        yield stub


def update(folder: Path, stub: Stub, *arguments: str):
    stub.forget()
    return portfolio(folder, "update", "--source", "live", "--as-of", AS_OF, *arguments, settings=stub.settings)


def asked(stub: Stub) -> Counter[str]:
    return Counter(request.endpoint for request in stub.requests)


def test_an_update_asks_no_more_than_it_needs_and_says_how_often(tmp_path, stub):
    first = document(update(tmp_path, stub, "--json"))
    assert asked(stub) == {"cookie": 1, "crumb": 1, "chart": LINES, "observations": SERIES}
    assert first["requests"] == 2 + LINES + SERIES
    assert (first["rows_new"], first["quarantined"], first["findings"]) == (first["rows_in"], 0, [])
    again = update(tmp_path, stub)
    assert asked(stub) == {"crumb": 1, "chart": LINES, "observations": SERIES}  # the cookie was kept
    assert f", 0 new or corrected, 0 quarantined; {1 + LINES + SERIES} requests." in again.stdout
    assert again.returncode == 0


def test_an_update_tells_each_series_on_stderr_and_nothing_of_the_clients_own(tmp_path, stub):
    stub.inject(Fault("not-found", on="CL2.PA"))
    ended = update(tmp_path, stub)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    told = {line["subject"]: line["event"] for line in lines if line["logger"] == "portfolio.day.update"}
    assert len(told) == LINES + SERIES
    assert {subject for subject, event in told.items() if event == "not fetched"} == {"CL2.PA"}
    assert not [line for line in lines if line["logger"].split(".")[0] != "portfolio"]
    assert "CL2.PA: Yahoo does not know the symbol" in ended.stdout


def test_the_clients_caches_lie_beside_the_store_and_nowhere_else(tmp_path, stub):
    update(tmp_path, stub)
    folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")}
    assert folders == {"data/live/cache/yfinance"}


def test_an_update_fails_and_makes_no_store_when_nothing_could_be_had(tmp_path, stub):
    stub.inject(Fault("server-error"))
    ended = portfolio(
        tmp_path, "update", "--source", "live", settings=stub.settings | {"PORTFOLIO_FETCH_ATTEMPTS": "1"}
    )
    assert ended.returncode == 1
    assert "The live source brought nothing at all" in ended.stderr
    assert not (tmp_path / "data/live/portfolio.duckdb").exists()


def test_since_reaches_further_back_than_what_is_stored(tmp_path, stub):
    update(tmp_path, stub)
    update(tmp_path, stub, "--since", "2018-03-01")  # `update` forgets what was asked before
    assert {int(request.query["period1"]) for request in stub.requests if request.subject == "CL2.PA"} == {
        int(paris("2018-03-01 00:00").timestamp())
    }


def test_since_does_not_cut_a_history_short_of_which_nothing_is_stored(tmp_path, stub):
    ended = document(update(tmp_path, stub, "--since", "2018-06-25", "--json"))
    assert ended["rows_new"] > LINES * 60


def test_the_day_is_decided_and_its_answer_names_the_key_when_there_is_none(tmp_path, stub):
    settings = {key: value for key, value in stub.settings.items() if key != "FRED_API_KEY"}
    ended = portfolio(
        tmp_path, "run", "--source", "live", "--as-of", AS_OF, "--json", settings=settings | {"PORTFOLIO_STARTS": "2"}
    )
    [told] = [item for item in document(ended)["signal"]["data"]["findings"] if item["rule"] == "no-fred-key"]
    assert (told["severity"], "FRED_API_KEY is not set" in told["message"]) == ("info", True)
    assert not [request for request in stub.requests if request.endpoint == "observations"]
