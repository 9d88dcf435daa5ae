"""The day under the dead-man's switch: what must be there before it is told that all is well, and what it is told."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from portfolio.day.outputs import verify_day
from portfolio.day.stages import orders_stage, run_day, signal_stage, writing
from portfolio.day.watched import watched_day
from portfolio.errors import ExitCode, OutputError, StoreError
from portfolio.store.connection import published_path
from portfolio.store.lock import writer_lock
from tests.support.command import portfolio
from tests.support.days import paris, run_at, settings_in
from tests.support.pings import CHECK, switch

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.day.run import Run

MORNING, EVENING, NEXT = "2001-06-18 07:30", "2001-06-18 18:00", "2001-06-19 07:30"
LEDGER = (
    "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
    "2001-05-02,deposit,,,,,250,\n"
    "2001-05-03,buy,WPEA.PA,100,2.5,0,,\n"
)
AS_OF = ("--as-of", "2001-06-18")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first session is decided."""
    folder = tmp_path_factory.mktemp("decided")
    watched_day(run_at(settings_in(folder), paris(MORNING)))
    return folder


@pytest.fixture
def folder(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "user")


def run_in(folder: Path, instant: str, **keys: object) -> Run:
    return run_at(settings_in(folder, **keys), paris(instant))


def test_day_is_told_in_one_line_without_weights_or_amounts_when_its_outputs_are_there(answered):
    told = verify_day(answered)
    line = r"TARGET for session 2001-06-19: \d+ order\(s\), \d+ warning\(s\); release [\d.]+, run "
    assert re.fullmatch(line + answered.run_id, told)


def test_day_is_told_as_well_when_a_later_run_has_decided_the_session_anew(damaged):
    run_day(run_in(damaged.settings.data_dir, "2001-06-19 08:30", MAX_SINGLE_POSITION=0.2))
    assert verify_day(damaged).startswith("TARGET for session 2001-06-19: ")
    later = run_in(damaged.settings.data_dir, "2001-06-19 08:40", MAX_SINGLE_POSITION=0.15)
    with writing(later) as (store, ending):  # a decision alone, whose plan is not made yet
        row = signal_stage(store, later, ending).row
        assert row is not None
        assert row.revision == 3
    assert verify_day(damaged).startswith("TARGET for session 2001-06-19: ")
    with pytest.raises(OutputError, match="plan in the published log is of revision 2, not 3"):
        verify_day(later)


def test_day_is_told_as_hold_with_its_rule_and_as_success_when_the_data_block_it(folder):
    with switch() as service:
        run = run_in(folder, EVENING, **service.settings)
        assert watched_day(run).exit_code is ExitCode.HOLD
    assert service.signals == ["start", "success"]
    assert service.pings[1].body.startswith("HOLD: stale-series, too-early; session 2001-06-19; release ")


def test_day_that_was_decided_the_same_before_is_told_from_the_logged_one(folder):
    again = run_in(folder, MORNING)
    run_day(again)
    assert verify_day(again).startswith("TARGET for session 2001-06-18: ")


def test_day_of_a_session_older_than_the_log_is_told_as_not_logged(folder):
    earlier = run_in(folder, "2001-06-11 07:30")
    run_day(earlier)
    assert verify_day(earlier).startswith("not logged, a later session is in the log; ")


@pytest.fixture(scope="module")
def answered(decided: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has ended well, with what readers had seen before it in the file "yesterday"."""
    folder = shutil.copytree(decided, tmp_path_factory.mktemp("answered") / "user")
    run = run_in(folder, NEXT)
    shutil.copy(published_path(run.settings.store_path), folder / "yesterday")
    run_day(run)
    return run


@pytest.fixture
def damaged(answered: Run, tmp_path: Path) -> Run:
    """The same run in a copy of its folder, to be damaged."""
    copy = shutil.copytree(answered.settings.data_dir, tmp_path / "copy")
    return replace(answered, settings=settings_in(copy))


def without_page(run: Run) -> None:
    run.page_path.unlink()


def with_half_a_page(run: Run) -> None:
    run.page_path.write_text(run.page_path.read_text("utf-8")[:5000])


def with_an_old_page(run: Run) -> None:
    old = run.started_at.timestamp() - 60
    os.utime(run.page_path, (old, old))


def with_yesterday_s_copy(run: Run) -> None:
    shutil.copy(run.settings.data_dir / "yesterday", published_path(run.settings.store_path))


MISSING = {
    "the page is gone": (without_page, "the page is not readable (FileNotFoundError)"),
    "the page is cut off": (with_half_a_page, "the page is cut off before its </html>"),
    "the page is yesterday's": (with_an_old_page, "the page is of 20"),
    "the published copy is yesterday's": (with_yesterday_s_copy, "the run in the published journal is missing"),
}


@pytest.mark.parametrize("case", MISSING)
def test_day_is_not_told_as_well_when(damaged, case):
    damage, told = MISSING[case]
    damage(damaged)
    with pytest.raises(OutputError, match="Do not act on that session") as refusal:
        verify_day(damaged)
    assert told in str(refusal.value)
    assert damaged.run_id in str(refusal.value)


def test_day_is_not_told_as_well_when_the_published_copy_is_gone(damaged):
    published_path(damaged.settings.store_path).unlink()
    with pytest.raises(StoreError, match="There is no store"):
        verify_day(damaged)


def test_day_is_not_told_as_well_when_a_stage_of_it_was_left_out(folder):
    first, second = run_in(folder, NEXT), run_in(folder, "2001-06-20 07:30")
    with writing(first):
        pass
    with pytest.raises(OutputError, match="decision in the run's journaled end is missing"):
        verify_day(first)
    with writing(second) as (store, ending):
        signal_stage(store, second, ending)
    with pytest.raises(OutputError, match="plan in the published log is missing"):
        verify_day(second)


def test_day_is_not_told_as_well_when_its_run_failed_or_another_run_is_asked_for(folder):
    run = run_in(folder, NEXT)
    with writing(run) as (store, ending):
        orders_stage(store, run, signal_stage(store, run, ending), ending)
        ending.exit_code = ExitCode.FAILED
    with pytest.raises(OutputError, match="is ended as 'failed'"):
        verify_day(run)
    with pytest.raises(OutputError, match="is missing"):
        verify_day(replace(run, run_id="another"))


def in_folder(folder: Path, *arguments: str, **settings: str):
    return portfolio(
        folder, "run", *AS_OF, *arguments, settings={"DATA_DIR": str(folder), "PORTFOLIO_STARTS": "2", **settings}
    )


def test_run_command_pings_start_and_success_and_tells_the_check_to_nobody_else(folder):
    log_file = folder / "portfolio.log"
    with switch() as service:
        ended = in_folder(folder, **service.settings, LOG_LEVEL="DEBUG", LOG_FILE=str(log_file))
    assert ended.returncode == 0, ended.stderr
    assert service.signals == ["start", "success"]
    assert len({ping.rid for ping in service.pings}) == 1
    assert service.pings[1].body.startswith("TARGET for session 2001-06-18")
    assert "urllib3" in log_file.read_text("utf-8")  # which logs the addresses it asks at DEBUG
    assert CHECK not in ended.stdout + ended.stderr
    assert not [path for path in folder.rglob("*") if path.is_file() and CHECK.encode() in path.read_bytes()]


def test_run_command_gives_its_answer_and_warns_when_the_switch_is_out_of_reach(folder):
    ended = in_folder(folder, HEALTHCHECK_UUID=CHECK, PORTFOLIO_HEALTHCHECKS_URL="http://127.0.0.1:9")
    assert ended.returncode == 0
    assert "TARGET for session 2001-06-18" in ended.stdout
    assert ended.stderr.count("a heartbeat did not arrive") == 2
    assert CHECK not in ended.stderr


def test_run_command_pings_fail_when_another_process_writes(folder):
    with switch() as service, writer_lock(folder / "sample" / "portfolio.duckdb"):
        ended = in_folder(folder, **service.settings)
    assert ended.returncode == ExitCode.BUSY
    assert service.signals == ["start", "fail"]
    assert service.pings[1].body.startswith("StoreBusyError, exit 5")


def test_run_command_pings_fail_when_the_fees_of_restoring_a_limit_exceed_the_account(folder):
    (folder / "ledger.csv").write_text(LEDGER)
    portfolio(folder, "ledger", "import", "ledger.csv", settings={"DATA_DIR": str(folder)})
    with switch() as service:
        ended = in_folder(folder, **service.settings, PORTFOLIO_FEE_MINIMUM_EUR="1000")
    assert (ended.returncode, service.signals) == (ExitCode.REFUSED, ["start", "fail"])
    assert "No orders: Fees would leave" in ended.stdout
    assert service.pings[1].body.startswith("refused, exit 4; session 2001-06-18")
