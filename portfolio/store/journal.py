"""The run journal: one row when a run starts, one when it ends, and what its checks found. Works without pandas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003  # dataclass tools read the annotations at run time
from typing import TYPE_CHECKING

from portfolio.findings import Finding, Severity
from portfolio.store.rows import parameters, records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run as it begins; `run_id` is new for every run."""

    run_id: str
    command: str
    session: date | None
    started_at: datetime
    release: str
    source: str | None
    pid: int


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: outcome "done", "hold", "refused", "failed" ..., and `detail` as JSON text."""

    run_id: str
    finished_at: datetime
    outcome: str
    exit_code: int
    rows_in: int = 0
    rows_out: int = 0
    detail: str = "{}"


@dataclass(frozen=True, slots=True)
class Run:
    """A journal row; everything from `finished_at` on is None when the run goes on or was interrupted."""

    run_id: str
    command: str
    session: date | None
    started_at: datetime
    release: str
    source: str | None
    pid: int
    finished_at: datetime | None
    outcome: str | None
    exit_code: int | None
    rows_in: int | None
    rows_out: int | None
    detail: str | None


_START = "INSERT INTO out.run_starts VALUES ($run_id, $command, $session, $started_at, $release, $source, $pid)"
_END = "INSERT INTO out.run_ends VALUES ($run_id, $finished_at, $outcome, $exit_code, $rows_in, $rows_out, $detail)"
_READ = """
SELECT run_id, command, session, started_at, release, source, pid,
       finished_at, outcome, exit_code, rows_in, rows_out, detail
FROM out.runs ORDER BY started_at DESC, run_id DESC
"""
_FINDING = "INSERT INTO out.findings VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FINDINGS_SO_FAR = "SELECT count(*) FROM out.findings WHERE run_id = ?"
_READ_FINDINGS = (
    "SELECT run_id, severity, rule, subject, message, session, value FROM out.findings ORDER BY run_id, seq"
)


def start_run(store: Store, start: RunStart) -> None:
    """Journal that a run has started."""
    store.connection.execute(_START, parameters(start))


def end_run(store: Store, end: RunEnd) -> None:
    """Journal how a run ended."""
    store.connection.execute(_END, parameters(end))


def read_runs(store: Store, limit: int | None = None) -> list[Run]:
    """Read the journal, newest run first."""
    return records(store.connection.execute(_READ), Run, limit)


def append_findings(store: Store, run_id: str, findings: Iterable[Finding]) -> int:
    """Append a run's findings behind those it has already, and return how many."""
    with store.transaction():
        so_far = store.connection.execute(_FINDINGS_SO_FAR, [run_id]).fetchall()[0][0]
        rows = [
            (run_id, seq, str(f.severity), f.rule, f.subject, f.message, f.session, f.value)
            for seq, f in enumerate(findings, start=so_far + 1)
        ]
        if rows:
            store.connection.executemany(_FINDING, rows)
    return len(rows)


def read_findings(store: Store, run_id: str) -> tuple[Finding, ...]:
    """Read a run's findings in the order they were appended."""
    # Chosen here and not by a bound parameter: binding any value makes DuckDB import pandas, most of a second.
    found = store.connection.execute(_READ_FINDINGS).fetchall()
    return tuple(Finding(Severity(row[1]), *row[2:]) for row in found if row[0] == run_id)
