from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.findings import Finding, Severity
from portfolio.store.connection import Store, open_writer
from portfolio.store.journal import (
    Run,
    RunEnd,
    RunStart,
    append_findings,
    end_run,
    read_findings,
    read_runs,
    start_run,
)
from portfolio.store.publish import publish
from portfolio.store.signals import append_signal
from tests.support.store_batches import at
from tests.support.store_rows import signal

if TYPE_CHECKING:
    from pathlib import Path


def started(run_id: str, instant: str) -> RunStart:
    return RunStart(run_id, "run", date(2019, 1, 2), at(instant), "0.1.0", "sample", 42)


def test_run_is_read_as_it_was_written_when_started_and_ended(store: Store) -> None:
    start_run(store, started("a", "2019-01-01 07:30"))
    end_run(store, RunEnd("a", at("2019-01-01 07:31"), "hold", 3, 10, 2, '{"why": "stale"}'))
    assert read_runs(store) == [
        Run(
            *("a", "run", date(2019, 1, 2), at("2019-01-01 07:30"), "0.1.0", "sample", 42),
            *(at("2019-01-01 07:31"), "hold", 3, 10, 2, '{"why": "stale"}'),
        )
    ]


def test_run_has_no_end_when_it_was_interrupted(store: Store) -> None:
    start_run(store, started("a", "2019-01-01 07:30"))
    (run,) = read_runs(store)
    assert (run.finished_at, run.outcome, run.exit_code) == (None, None, None)


def test_runs_come_newest_first_and_as_many_as_asked_for(store: Store) -> None:
    for run_id, instant in (("b", "2019-01-02 07:30"), ("c", "2019-01-03 07:30"), ("a", "2019-01-01 07:30")):
        start_run(store, started(run_id, instant))
    assert [run.run_id for run in read_runs(store)] == ["c", "b", "a"]
    assert [run.run_id for run in read_runs(store, 2)] == ["c", "b"]


def test_run_is_journaled_once_when_its_id_is_used_again(store: Store) -> None:
    start_run(store, started("a", "2019-01-01 07:30"))
    with pytest.raises(duckdb.ConstraintException):
        start_run(store, started("a", "2019-01-02 07:30"))


def test_run_is_refused_when_its_instant_has_no_zone(store: Store) -> None:
    naive = datetime(2019, 1, 1, 7, 30)  # noqa: DTZ001  # the fault under test
    with pytest.raises(ValueError, match=r"RunEnd\.finished_at is 2019-01-01T07:30:00"):
        end_run(store, RunEnd("a", naive, "done", 0))


def test_instants_are_read_in_utc_when_written_in_another_zone(store: Store) -> None:
    paris = datetime.fromisoformat("2019-01-01T08:30+01:00")
    start_run(store, RunStart("a", "run", None, paris, "0.1.0", None, 42))
    (run,) = read_runs(store)
    assert run.started_at.isoformat() == "2019-01-01T07:30:00+00:00"
    assert (run.session, run.source) == (None, None)


def test_findings_are_read_in_order_and_by_run(store: Store) -> None:
    stale = Finding(Severity.ERROR, "stale", "^GSPC", "no close since", date(2018, 12, 27), "2488.83")
    whole = Finding(Severity.INFO, "nothing-new", "", "'; DROP TABLE out.findings; --")
    assert append_findings(store, "a", [stale, whole]) == 2
    assert append_findings(store, "b", [whole]) == 1
    assert append_findings(store, "a", [whole]) == 1
    assert append_findings(store, "a", []) == 0
    assert read_findings(store, "a") == (stale, whole, whole)
    assert read_findings(store, "b") == (whole,)
    assert read_findings(store, "c") == ()


READ_ALL = """
import sys
from pathlib import Path
from portfolio.store.connection import open_reader
from portfolio.store.journal import read_findings, read_runs
from portfolio.store.orders import read_orders
from portfolio.store.prices import newest_batch
from portfolio.store.signals import read_signal
with open_reader(Path(sys.argv[1]), "sample") as store:
    print(len(read_runs(store, 5)), len(read_findings(store, "a")), read_signal(store).revision)
    print(read_orders(store), newest_batch(store))
print([name for name in ("pandas", "numpy", "exchange_calendars") if name in sys.modules])
"""


def test_health_and_signal_readers_import_no_pandas(path: Path) -> None:
    with open_writer(path, "sample") as store:
        start_run(store, started("a", "2019-01-01 07:30"))
        append_findings(store, "a", [Finding(Severity.INFO, "nothing-new", "", "text")])
        append_signal(store, signal("2019-01-02"))
        publish(store)
    answer = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.splitlines() == ["1 1 1", "None 0", "[]"]
