"""What a day must have left behind before anybody is told that it went well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from portfolio import __version__
from portfolio.errors import OutputError
from portfolio.findings import Severity
from portfolio.store.connection import open_reader
from portfolio.store.journal import read_runs
from portfolio.store.orders import read_orders
from portfolio.store.signals import read_signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.run import Run
    from portfolio.store.connection import Store
    from portfolio.store.signals import SignalRow

WELL = frozenset({"done", "hold"})  # the outcomes of a day that has an answer
PAGE_END = "</html>"


def verify_day(run: Run) -> str:
    """See that the run's outputs are there, as readers will find them, and say in one line what they are.

    The published copy has the run's end, its session's decision and that decision's plan, and the page is whole and
    not older than the run. The line may leave the machine: no weight, holding or amount is in it. Raises OutputError
    naming the first output that is missing, StoreError when the published copy does not open.
    """
    with open_reader(run.settings.store_path, run.settings.source) as store:
        decided = _journaled_decision(store, run)
        if decided["revision"] is None:
            return f"not logged, a later session is in the log; {_stamp(run)}"
        row = _logged_decision(store, run, decided)
        orders = _planned_orders(store, run, decided)
    _ensure_page(run)
    return f"{_in_words(row, orders)}; {_stamp(run)}"


def _journaled_decision(store: Store, run: Run) -> dict[str, Any]:
    """Return what the journal says the run decided."""
    row = next((row for row in read_runs(store) if row.run_id == run.run_id), None)
    if row is None or row.outcome not in WELL:
        seen = f"ended as {row.outcome!r}" if row and row.outcome else "without an end" if row else "missing"
        raise _wrong(run, "run in the published journal", seen)
    decided = json.loads(row.detail or "{}").get("signal")
    if decided is None:
        raise _wrong(run, "decision in the run's journaled end", "missing: the run was no whole day")
    return decided


def _logged_decision(store: Store, run: Run, decided: Mapping[str, Any]) -> SignalRow:
    """Return the session's logged decision: the run's own, an earlier equal one, or one that has followed it."""
    row = read_signal(store, run.moment.session)
    revision = row.revision or 0 if row else 0
    if row is None or revision < decided["revision"]:
        wanted = f"revision {decided['revision']}"
        raise _wrong(run, "session's decision in the published log", f"at revision {revision}, not {wanted}")
    if revision == decided["revision"] and row.decision != decided["decision"]:
        raise _wrong(run, "session's decision in the published log", f"{row.decision}, not {decided['decision']}")
    return row


def _planned_orders(store: Store, run: Run, decided: Mapping[str, Any]) -> int:
    """Return how many orders the session's newest plan proposes, which is of the decision or of a later one."""
    plan = read_orders(store, run.moment.session)
    if plan is None or plan.signal_revision < decided["revision"]:
        seen = f"of revision {plan.signal_revision}, not {decided['revision']}" if plan else "missing"
        raise _wrong(run, "session's plan in the published log", seen)
    return len(json.loads(plan.plan)["orders"])


def _ensure_page(run: Run) -> None:
    try:
        written_at = datetime.fromtimestamp(run.page_path.stat().st_mtime, UTC)
        whole = run.page_path.read_text("utf-8").rstrip().endswith(PAGE_END)
    except (OSError, UnicodeError) as error:
        raise _wrong(run, "page", f"not readable ({type(error).__name__})") from error
    if not whole:
        raise _wrong(run, "page", f"cut off before its {PAGE_END}")
    if written_at < run.started_at:
        raise _wrong(run, "page", f"of {written_at:%Y-%m-%d %H:%M:%S} UTC, older than the run")


def _wrong(run: Run, output: str, seen: str) -> OutputError:
    message = (
        f"Run {run.run_id} was to leave an answer for session {run.moment.session} behind, but the {output} is {seen}. "
        "Do not act on that session before `portfolio run` has ended well; the run's log lines say what went wrong."
    )
    return OutputError(message)


def _in_words(row: SignalRow, orders: int) -> str:
    findings = json.loads(row.answer)["data"]["findings"]
    if row.decision == "HOLD":
        rules = sorted({item["rule"] for item in findings if item["severity"] == Severity.ERROR})
        return f"HOLD: {', '.join(rules) or 'see the page'}; session {row.session}"
    warnings = sum(item["severity"] == Severity.WARNING for item in findings)
    return f"{row.decision} for session {row.session}: {orders} order(s), {warnings} warning(s)"


def _stamp(run: Run) -> str:
    return f"release {__version__}, run {run.run_id}"
