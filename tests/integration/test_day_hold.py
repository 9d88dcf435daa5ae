"""Days on bad data: HOLD, with the holdings as weights, no orders and the reason stored and shown; then back again."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from portfolio.day.stages import run_day
from portfolio.errors import ExitCode
from portfolio.sources.sample import fetch_sample
from portfolio.store.connection import open_reader
from portfolio.store.journal import read_findings, read_runs
from portfolio.store.orders import read_orders
from portfolio.store.prices import Known, newest_batch, read_prices, read_quarantined
from portfolio.store.signals import read_signal, read_signals
from portfolio.universe import CASH
from tests.support.command import document, portfolio
from tests.support.days import day_with, paris, run_at, settings_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from portfolio.settings import Settings
    from portfolio.sources.batch import Batch

FRIDAY, MONDAY, TUESDAY = "2001-06-15 07:30", "2001-06-18 07:30", "2001-06-19 07:30"
NEWEST = pd.Timestamp("2001-06-15")  # whose closes Monday's batch brings
QUOTES = ["open", "high", "low", "close"]
LEDGER = (
    "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
    "2001-05-02,deposit,,,,,10000,\n"
    "2001-05-03,buy,WPEA.PA,1000,2.5,12.5,,\n"
    "2001-05-03,buy,PUST.PA,200,9.5,9.5,,\n"
)


@dataclass(frozen=True)
class Told:
    """What a day left behind, read from the published copy and the page."""

    exit_code: int
    answer: dict[str, Any]
    plan: dict[str, Any]
    outcome: str | None
    stored: frozenset[str]  # rules of the findings journaled
    page: str


@pytest.fixture(scope="module")
def friday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger and Friday's decision, a TARGET."""
    folder = tmp_path_factory.mktemp("friday")
    ledger = folder / "ledger.csv"
    ledger.write_text(LEDGER)
    run = run_at(settings_in(folder), paris(FRIDAY))
    assert day_with(run, fetch_sample(run.universe, run.moment), ledger)[2] == ExitCode.DONE
    return folder


@pytest.fixture
def settings(friday: Path, tmp_path: Path) -> Settings:
    return settings_in(shutil.copytree(friday, tmp_path / "user"))


def day_on(settings: Settings, instant: str, fault: Callable[[Batch], Batch] | None = None) -> Told:
    """Do the day's stages on the sample's batch with a fault put in."""
    run = run_at(settings, paris(instant))
    batch = fetch_sample(run.universe, run.moment)
    _, _, exit_code = day_with(run, fault(batch) if fault else batch)
    return told_of(settings, run.moment.session, exit_code)


def told_of(settings: Settings, session: date, exit_code: int) -> Told:
    with open_reader(settings.store_path, "sample") as store:
        signal, orders, run = read_signal(store, session), read_orders(store, session), read_runs(store, 1)[0]
        stored = frozenset(finding.rule for finding in read_findings(store, run.run_id))
    assert signal is not None
    assert orders is not None
    page = unescape((settings.state_dir / "report/index.html").read_text("utf-8")).replace("\u00a0", " ")
    return Told(exit_code, json.loads(signal.answer), json.loads(orders.plan), run.outcome, stored, page)


def assert_held(told: Told, rule: str, *subjects: str) -> None:
    """HOLD: the account's own weights, nothing traded, and the reason stored, logged and shown."""
    assert told.exit_code == ExitCode.HOLD == 3
    assert told.outcome == "hold"
    assert told.answer["decision"] == "HOLD"
    points = {line: round(weight * 10_000) for line, weight in told.answer["weights"].items()}
    assert sum(points.values()) == 10_000
    assert {line for line, weight in points.items() if weight} == {"WPEA.PA", "PUST.PA", CASH}
    assert told.plan["orders"] == []
    assert told.plan["weights_after"] == told.answer["weights"]
    assert told.plan["cash_after_eur"] == 5578.0
    errors = [finding for finding in told.answer["data"]["findings"] if finding["severity"] == "error"]
    messages = {finding["subject"]: finding["message"] for finding in errors if finding["rule"] == rule}
    assert {messages[subject] for subject in subjects} <= set(told.answer["reasons"])
    assert rule in told.stored
    assert "HOLD" in told.page
    assert all(messages[subject] in told.page for subject in subjects)


def without(symbol: str) -> Callable[[Batch], Batch]:
    """The newest day of a symbol has not come."""

    def fault(batch: Batch) -> Batch:
        lacking = (batch.prices["symbol"] == symbol) & (batch.prices["observed_on"] == NEWEST)
        return replace(batch, prices=batch.prices[~lacking])

    return fault


def changed(symbol: str, **values: Callable[[pd.Series], Any]) -> Callable[[Batch], Batch]:
    """The newest day of a symbol has come with other values."""

    def fault(batch: Batch) -> Batch:
        prices = batch.prices.copy()
        row = (prices["symbol"] == symbol) & (prices["observed_on"] == NEWEST)
        for column, change in values.items():
            prices.loc[row, column] = change(prices.loc[row, column])
        return replace(batch, prices=prices)

    return fault


def all_quotes(change: Callable[[pd.Series], Any]) -> dict[str, Callable[[pd.Series], Any]]:
    return dict.fromkeys(QUOTES, change)


IN_PENCE = all_quotes(lambda quote: quote * 100)
NOT_A_NUMBER = all_quotes(lambda _: float("nan"))
ANOTHER_CURRENCY = {"currency": lambda _: "GBP"}
FAULTS = {
    "a driver lacks its newest session": (without("^GSPC"), "stale-series", "^GSPC"),
    "the other driver lacks its newest session": (without("^NDX"), "stale-series", "^NDX"),
    "a driver fell by nine tenths": (changed("^NDX", **all_quotes(lambda quote: quote / 10)), "doubtful-price", "^NDX"),
    "a held line lacks its newest session": (without("PUST.PA"), "stale-series", "PUST.PA"),
    "a held line is quoted in pence": (changed("PUST.PA", **IN_PENCE), "doubtful-price", "PUST.PA"),
    "a held line's price is not a number": (changed("PUST.PA", **NOT_A_NUMBER), "doubtful-price", "PUST.PA"),
    "a held line comes in another currency": (changed("PUST.PA", **ANOTHER_CURRENCY), "doubtful-price", "PUST.PA"),
    "a targeted line lacks its newest session": (without("CL2.PA"), "stale-series", "CL2.PA"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_day_holds_and_keeps_what_is_right_when(settings, case):
    fault, rule, subject = FAULTS[case]
    assert_held(day_on(settings, MONDAY, fault), rule, subject)
    with open_reader(settings.store_path, "sample") as store:
        moment = run_at(settings, paris(MONDAY)).moment
        known = Known(moment.decided_at, newest_batch(store))
        prices, doubted = read_prices(store, known), read_quarantined(store, known)
    newest = prices[prices["observed_on"] == NEWEST]
    assert set(newest["symbol"]) == {"^GSPC", "^NDX", "WPEA.PA", "PE500.PA", "PUST.PA", "LQQ.PA", "CL2.PA"} - {subject}
    assert set(doubted["symbol"]) == (set() if rule == "stale-series" else {subject})


@pytest.mark.parametrize("case", ["a driver lacks its newest session", "a held line is quoted in pence"])
def test_next_good_day_decides_a_target_again_after_a_day_on_which(settings, case):
    before = told_of(settings, run_at(settings, paris(FRIDAY)).moment.session, 0)
    held = day_on(settings, MONDAY, FAULTS[case][0])
    assert held.answer["target"] == before.answer["target"]  # the target in force outlives the day of HOLD
    again = day_on(settings, TUESDAY)
    assert (again.exit_code, again.outcome, again.answer["decision"]) == (0, "done", "TARGET")
    assert again.answer["target"]["since"] == before.answer["target"]["since"]
    assert again.answer["weights"] == before.answer["weights"]
    assert again.plan["orders"]


def test_day_decides_a_target_when_the_same_session_is_mended_before_it_opens(settings):
    held = day_on(settings, MONDAY, without("^NDX"))
    mended = day_on(settings, "2001-06-18 08:30")
    assert (held.exit_code, mended.exit_code) == (3, 0)
    with open_reader(settings.store_path, "sample") as store:
        row = read_signal(store, run_at(settings, paris(MONDAY)).moment.session)
    assert row is not None
    assert (row.decision, row.revision) == ("TARGET", 2)


def test_faulty_line_that_is_neither_held_nor_targeted_does_not_block(settings):
    without_it = {"PORTFOLIO_WEIGHTS_CALM": {"WPEA.PA": 0.4, "CASH": 0.6}, "PORTFOLIO_DWELL_SESSIONS": 0}
    told = day_on(settings_in(settings.data_dir, **without_it), MONDAY, changed("LQQ.PA", **IN_PENCE))
    assert (told.exit_code, told.answer["decision"]) == (0, "TARGET")
    findings = {finding["rule"] for finding in told.answer["data"]["findings"] if finding["subject"] == "LQQ.PA"}
    assert "doubtful-price" in findings
    assert "LQQ.PA" in told.page


def test_day_holds_when_the_evening_s_closes_cannot_be_known_yet_and_decides_at_six(settings):
    day_on(settings, MONDAY)
    evening = day_on(settings, "2001-06-18 18:00")
    assert_held(evening, "too-early", "")
    assert evening.answer["as_of"] == "2001-06-18"
    night = day_on(settings, "2001-06-19 05:59")
    assert night.exit_code == 3
    morning = day_on(settings, "2001-06-19 06:00")
    assert morning.answer["session"] == evening.answer["session"] == "2001-06-19"
    assert (morning.exit_code, morning.answer["decision"]) == (0, "TARGET")


def test_day_holds_when_the_account_is_empty_and_shows_all_in_cash(tmp_path):
    told = day_on(settings_in(tmp_path), MONDAY, without("^GSPC"))
    assert told.exit_code == 3
    assert told.answer["weights"][CASH] == 1.0
    assert told.answer["target"] is None
    assert told.answer["model_id"] is None


def test_signal_command_holds_on_a_stale_store_and_says_why(settings):
    folder = settings.data_dir
    command = {"DATA_DIR": str(folder)}
    ended = portfolio(folder, "signal", "--as-of", "2001-06-21", settings=command)
    assert ended.returncode == 3
    assert "HOLD for session 2001-06-21" in ended.stdout
    assert "newest believed row is of 2001-06-14" in ended.stdout
    planned = portfolio(folder, "orders", "--as-of", "2001-06-21", "--json", settings=command)
    assert planned.returncode == 3
    assert document(planned)["orders"] == []
    health = portfolio(folder, "health", "--json", settings=command)
    checks = {check["check"]: check for check in document(health)["checks"]}
    assert checks["signal"]["seen"].startswith("HOLD for session 2001-06-21")
    assert checks["findings"]["status"] == "DEGRADED"


def test_optional_series_is_carried_three_sessions_with_a_finding_and_then_blocks(tmp_path):
    settings = settings_in(tmp_path, PORTFOLIO_FEATURES=("return_log_1d", "log_vol_21d", "slope"))

    def ended_on(last: str) -> Callable[[Batch], Batch]:
        def fault(batch: Batch) -> Batch:
            rows = batch.macro
            return replace(batch, macro=rows[rows["observed_on"] <= pd.Timestamp(last)])

        return fault

    carried = day_on(settings, "2001-06-08 07:30", ended_on("2001-06-01"))
    assert (carried.exit_code, carried.answer["decision"]) == (0, "TARGET")
    assert {"carried-macro"} <= {finding["rule"] for finding in carried.answer["data"]["findings"]}
    blocked = day_on(settings, "2001-06-11 07:30", ended_on("2001-06-01"))
    assert (blocked.exit_code, blocked.answer["decision"]) == (3, "HOLD")


def test_decision_as_at_an_earlier_instant_never_follows_a_later_one_of_its_session(tmp_path):
    settings = settings_in(tmp_path)
    assert run_day(run_at(settings, paris("2018-06-29 07:30"))).exit_code is ExitCode.DONE
    evening_before = run_day(run_at(settings, paris("2018-06-28 20:00")))
    assert (evening_before.exit_code, evening_before.signal.row) == (ExitCode.HOLD, None)
    with open_reader(settings.store_path, "sample") as store:
        assert [row.decision for row in read_signals(store)] == ["TARGET"]


def test_too_early_hold_is_not_logged_while_the_session_before_it_may_still_be_decided(tmp_path):
    settings = settings_in(tmp_path)
    assert run_day(run_at(settings, paris("2018-06-28 07:30"))).exit_code is ExitCode.DONE
    noon = run_day(run_at(settings, paris("2018-06-29 12:00")))
    assert (noon.exit_code, noon.signal.row) == (ExitCode.HOLD, None)
    assert run_day(run_at(settings, paris("2018-06-29 07:30"))).exit_code is ExitCode.DONE
    assert run_day(run_at(settings, paris("2018-06-29 12:00"))).signal.row is not None
    with open_reader(settings.store_path, "sample") as store:
        decided = {f"{row.session}": row.decision for row in read_signals(store)}
    assert decided == {"2018-06-28": "TARGET", "2018-06-29": "TARGET", "2018-07-02": "HOLD"}
