"""Replay: a logged decision taken again from its logged instant, batches, model and terms, whatever happened since."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.day.answer import as_logged
from portfolio.day.signal import Replay, decide_and_log, replay
from portfolio.day.update import store_batch
from portfolio.errors import ModelError, StoreError
from portfolio.sources.sample import fetch_sample
from portfolio.store.connection import open_reader, open_writer
from portfolio.store.publish import publish
from portfolio.store.signals import SignalRow, read_signals
from tests.support.command import document, portfolio
from tests.support.days import day_with, paris, run_at, settings_in
from tests.support.noise import corrected

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.settings import Settings

SINCE = date(2000, 9, 1)
MORNINGS = (
    *("2002-09-02 07:30", "2002-09-03 07:30", "2002-09-16 06:00", "2002-10-11 07:30", "2002-11-11 07:30"),
    *("2002-12-26 07:30", "2003-01-02 07:30", "2003-01-02 12:00", "2003-02-03 07:30", "2003-03-18 07:30"),
    *("2003-03-30 03:30", "2003-04-22 07:30", "2003-05-20 07:30", "2003-06-17 07:30"),
)
EVENING = "2003-06-17 18:00"  # today's closes are not known yet: HOLD
LATER_MORNING = "2003-06-19 07:30"
# Days that the source lacked at first and brings later, as if they had been known all the time.
GAPS = (
    *("2002-08-20", "2002-09-27", "2002-10-28", "2002-12-10", "2003-01-21"),
    *("2003-03-04", "2003-04-08", "2003-05-06", "2003-06-03"),
)
LEDGER = (
    "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
    "2002-10-01,deposit,,,,,20000,\n"
    "2002-10-02,buy,WPEA.PA,2000,1.8,18,,\n"
    "2003-03-03,buy,LQQ.PA,3000,0.35,5.25,,\n"
)


@dataclass(frozen=True)
class Story:
    """A folder with sixteen logged decisions, the settings they were taken under, and the log as it was."""

    folder: Path
    log: tuple[SignalRow, ...]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    settings = settings_in(folder)
    ledger = folder / "ledger.csv"
    ledger.write_text(LEDGER)
    for instant in MORNINGS:
        decide(settings, instant)
    decide(settings, EVENING, ledger)
    decide(settings, LATER_MORNING)
    with open_reader(settings.store_path, "sample") as store:
        return Story(folder, tuple(read_signals(store)))


def decide(settings: Settings, instant: str, ledger: Path | None = None) -> None:
    run = run_at(settings, paris(instant))
    batch = fetch_sample(run.universe, run.moment, SINCE)
    lacking = (batch.prices["symbol"] == "^NDX") & batch.prices["observed_on"].isin(pd.DatetimeIndex(GAPS))
    day_with(run, replace(batch, prices=batch.prices[~lacking]), ledger, page=False)


@pytest.fixture(scope="module")
def aged(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after much has happened: days that lacked have come, a longer past, corrections, a later decision."""
    folder = shutil.copytree(story.folder, tmp_path_factory.mktemp("later") / "aged")
    settings = settings_in(folder)
    with open_writer(settings.store_path, "sample") as store:
        run = run_at(settings, paris("2003-07-01 07:30"))
        batch = fetch_sample(run.universe, run.moment)
        store_batch(store, run, batch)  # from 1999 on
        store_batch(store, run, corrected(batch, 5))
        decide_and_log(store, run)
        publish(store)
    return folder


def replayed(folder: Path, session: date, **keys: object) -> Replay:
    settings = settings_in(folder, **keys)
    with open_writer(settings.store_path, "sample") as store:
        return replay(store, run_at(settings, paris("2003-07-01 07:30"), "signal"), session)


def test_story_has_targets_holds_several_models_and_holdings(story):
    assert len(story.log) == len(MORNINGS) + 2
    assert {row.decision for row in story.log} == {"TARGET", "HOLD"}
    assert len({row.model_id for row in story.log} - {None}) >= 3
    assert len({json.loads(row.answer)["target"]["since"] for row in story.log if row.decision == "TARGET"}) >= 2
    noon, evening = (row for row in story.log if row.decision == "HOLD")
    assert "is not over" in json.loads(noon.answer)["reasons"][0]
    assert json.loads(evening.answer)["weights"]["LQQ.PA"] > 0.01


OTHER_SETTINGS = {
    "MAX_SINGLE_POSITION": 0.15,
    "MIN_CASH_BUFFER": 0.5,
    "PORTFOLIO_WEIGHTS_CALM": {"CASH": 1.0},
    "PORTFOLIO_WEIGHTS_STRESSED": {"CASH": 0.9, "WPEA.PA": 0.1},
    "PORTFOLIO_FEATURES": ("return_log_1d", "slope"),
    "PORTFOLIO_STATES": 3,
    "PORTFOLIO_DWELL_SESSIONS": 0,
    "PORTFOLIO_BAND": 0.0,
    "INITIAL_CASH": 1,
}


@pytest.mark.parametrize("keys", [{}, OTHER_SETTINGS], ids=["same settings", "other settings"])
def test_every_logged_decision_is_the_log_to_the_byte_when_the_store_has_grown_and_was_corrected(story, aged, keys):
    for row in story.log:
        again = replayed(aged, row.session, **keys)
        assert again.agrees
        assert as_logged(again.recomputed) == row.answer
        assert again.row == row


def test_past_session_of_the_aged_store_is_decided_otherwise_and_not_logged(story, aged):
    settings, then = settings_in(aged), story.log[-3]
    assert then.session == date(2003, 6, 17)
    with open_writer(settings.store_path, "sample") as store:
        now = decide_and_log(store, run_at(settings, then.decided_at, "signal"))
    assert now.row is None  # the log is only ever continued
    assert now.answer["regime"]["probabilities"] != json.loads(then.answer)["regime"]["probabilities"]


def tampered(folder: Path, statement: str) -> None:
    settings = settings_in(folder)
    with open_writer(settings.store_path, "sample") as store:
        store.connection.execute(statement)
        publish(store)


USED = "UPDATE raw.prices SET close = close * 1.0000001 WHERE symbol = '^GSPC' AND observed_on = DATE '2002-10-10'"
LOST = "DELETE FROM raw.prices WHERE symbol = '^NDX' AND observed_on = DATE '2002-10-08'"
LATER = "UPDATE raw.prices SET close = close * 3 WHERE batch_id > (SELECT max(batch_id) - 2 FROM raw.batches)"


@pytest.mark.parametrize("statement", [USED, LOST], ids=["a price changed", "a price deleted"])
def test_replay_reports_a_difference_when_a_price_it_used_is_not_what_it_was(story, tmp_path, statement):
    folder = shutil.copytree(story.folder, tmp_path / "tampered")
    tampered(folder, statement)
    assert not replayed(folder, date(2002, 10, 11)).agrees
    assert not replayed(folder, date(2002, 11, 11)).agrees  # volatility looks a month back
    assert replayed(folder, date(2002, 9, 16)).agrees  # a price of October was not known in September


def test_replay_agrees_when_only_what_was_learnt_later_is_tampered_with(story, aged, tmp_path):
    folder = shutil.copytree(aged, tmp_path / "tampered")
    tampered(folder, LATER)
    assert all(replayed(folder, row.session).agrees for row in story.log[::5])


def test_replay_refuses_when_the_model_is_gone_or_the_session_was_never_logged(story, tmp_path):
    folder = shutil.copytree(story.folder, tmp_path / "lost")
    shutil.rmtree(folder / "sample/models" / str(story.log[0].model_id))
    with pytest.raises(ModelError, match="must be a readable file"):
        replayed(folder, story.log[0].session)
    with pytest.raises(StoreError, match="no decision for session 2002-09-04"):
        replayed(folder, date(2002, 9, 4))


def test_replay_command_ends_well_when_log_and_replay_agree_and_fails_naming_what_differs(story, tmp_path):
    folder = shutil.copytree(story.folder, tmp_path / "command")
    settings = {"DATA_DIR": str(folder)}
    newest = portfolio(folder, "signal", "--replay", settings=settings)
    assert newest.returncode == 0, newest.stderr
    assert "2003-06-19" in newest.stdout
    chosen = portfolio(folder, "signal", "--replay", "2002-10-11", "--json", settings=settings)
    assert chosen.returncode == 0
    assert document(chosen)["agrees"] is True
    tampered(folder, USED)
    different = portfolio(folder, "signal", "--replay", "2002-10-11", "--json", settings=settings)
    assert different.returncode == 1
    assert document(different)["agrees"] is False
    assert document(different)["differs_in"][0] == "regime"
    logged, again = document(different)["logged"], document(different)["recomputed"]
    assert logged["weights"] == again["weights"]
    assert logged["regime"]["probabilities"] != again["regime"]["probabilities"]


@pytest.mark.parametrize(
    ("session", "code", "told"),
    [("2002-09-04", 1, "no decision for session 2002-09-04"), ("yesterday", 2, "'yesterday' is not a day")],
)
def test_replay_command_says_what_to_do_when_there_is_no_such_session(story, session, code, told):
    ended = portfolio(story.folder, "signal", "--replay", session, "--json", settings={"DATA_DIR": str(story.folder)})
    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in ended.stderr.splitlines()[-1]


def test_replay_command_answers_that_nothing_was_ever_decided(tmp_path):
    settings = {"DATA_DIR": str(tmp_path)}
    assert portfolio(tmp_path, "update", "--source", "sample", settings=settings).returncode == 0
    ended = portfolio(tmp_path, "signal", "--source", "sample", "--replay", "--json", settings=settings)
    assert ended.returncode == 1
    assert document(ended)["logged"] is None
    assert "no decision at all" in ended.stderr
