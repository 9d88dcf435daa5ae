"""Which model decides, over a chronological series of days on one store."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from portfolio.day.stages import run_day
from portfolio.errors import ModelError
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.day.stages import Day

# The calm years are left out of the fits' history on purpose: two regimes, and fits that take little time.
FIRST, NEXT_DAY, MONTH_LATER = "2010-06-01 07:30", "2010-06-02 07:30", "2010-07-02 07:30"


def day(folder: Path, instant: str, **keys: object) -> Day:
    return run_day(run_at(settings_in(folder, **keys), paris(instant)))


def rules(decided: Day) -> set[str]:
    return {finding.rule for finding in decided.signal.outcome.findings}


@pytest.fixture
def store_with_champion(tmp_path: Path) -> tuple[Path, str]:
    decided = day(tmp_path, FIRST)
    assert decided.signal.reader.model is not None
    return tmp_path, decided.signal.reader.model.model_id


def test_champion_serves_until_it_is_due_and_then_a_challenger_is_judged(store_with_champion):
    folder, first_id = store_with_champion
    second = day(folder, NEXT_DAY)
    assert second.signal.answer["model_id"] == first_id
    assert not any(rule.startswith("challenger") for rule in rules(second))
    third = day(folder, MONTH_LATER)
    assert "challenger-promote" in rules(third)
    assert third.signal.answer["model_id"] not in {first_id, None}
    assert third.signal.reader.model is not None
    assert third.signal.reader.model.fit_end.isoformat() == third.signal.answer["as_of"]


def test_first_model_knows_nothing_after_the_last_completed_session(store_with_champion):
    folder, first_id = store_with_champion
    assert first_id in {path.name for path in (folder / "sample" / "models").iterdir()}
    again = day(folder, FIRST)
    assert again.signal.reader.model is not None
    # New York was closed on Monday the 31st, the last completed session in Paris.
    assert again.signal.reader.model.fit_end.isoformat() == "2010-05-28"


def test_champion_stays_when_its_challenger_fails_a_gate(store_with_champion):
    folder, first_id = store_with_champion
    decided = day(folder, MONTH_LATER, PORTFOLIO_GATE_MIN_VOL_RATIO=50)
    assert "challenger-reject" in rules(decided)
    assert decided.signal.answer["model_id"] == first_id
    assert decided.signal.answer["decision"] == "TARGET"


def test_neutral_table_decides_when_no_model_ever_passed_the_gates(tmp_path):
    decided = day(tmp_path, FIRST, PORTFOLIO_GATE_MIN_VOL_RATIO=50)
    answer = decided.signal.answer
    assert answer["model_id"] is None
    assert answer["regime"] == {"labels": [], "probabilities": {}}
    assert answer["weights"]["WPEA.PA"] == 0.34
    assert "failed its gates" in answer["reasons"][0]
    assert "volatility-ratio" in answer["reasons"][0]


def test_neutral_table_decides_when_there_is_too_little_history_to_fit(tmp_path):
    answer = day(tmp_path, "1999-06-01 07:30").signal.answer
    assert (answer["decision"], answer["model_id"]) == ("TARGET", None)
    assert "at least 252 sessions" in answer["reasons"][0]


def test_new_model_is_fitted_when_the_settings_ask_for_other_features(store_with_champion):
    folder, first_id = store_with_champion
    decided = day(folder, NEXT_DAY, PORTFOLIO_FEATURES="return_log_1d")
    model = decided.signal.reader.model
    assert model is None or model.feature_names == ("return_log_1d",)
    assert decided.signal.answer["model_id"] != first_id


def test_new_model_is_fitted_with_a_finding_when_the_champions_files_are_gone(store_with_champion):
    folder, first_id = store_with_champion
    shutil.rmtree(folder / "sample" / "models" / first_id)
    decided = day(folder, NEXT_DAY)
    assert "champion-missing" in rules(decided)
    assert decided.signal.answer["decision"] == "TARGET"
    assert decided.signal.answer["model_id"] is not None


def test_override_decides_and_is_only_read(store_with_champion, tmp_path_factory):
    folder, first_id = store_with_champion
    mine = tmp_path_factory.mktemp("mine") / "model"
    shutil.copytree(folder / "sample" / "models" / first_id, mine)
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    decided = day(folder, MONTH_LATER, HMM_MODEL_PATH=str(mine))
    assert decided.signal.answer["model_id"] == first_id
    assert "override" in decided.signal.reader.note
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


@pytest.mark.parametrize(
    ("instant", "keys"),
    [("2010-04-01 07:30", {}), (MONTH_LATER, {"PORTFOLIO_FEATURES": "return_log_1d"})],
    ids=["it knows later data", "it reads other features"],
)
def test_override_is_refused_when(store_with_champion, tmp_path_factory, instant, keys):
    folder, first_id = store_with_champion
    model = folder / "sample" / "models" / first_id
    other = tmp_path_factory.mktemp("other")
    with pytest.raises(ModelError, match=r"HMM_MODEL_PATH .* The decision needs one fitted up to"):
        day(other, instant, HMM_MODEL_PATH=str(model), **keys)
