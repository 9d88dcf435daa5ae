"""The health checks: each looks at one thing and says what it saw and what to do."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from portfolio.errors import StoreError
from portfolio.health.expected import HOME, Calendars
from portfolio.store.connection import open_reader
from portfolio.store.engine import live_path, wal_path
from portfolio.store.journal import Run, read_runs
from portfolio.store.lock import read_holder
from portfolio.store.newest import newest_fetch, newest_macro_days, newest_price_days, recent_sessions
from portfolio.store.orders import OrdersRow, read_orders
from portfolio.store.signals import SignalRow, read_signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from portfolio.settings import Settings
    from portfolio.store.connection import Store
    from portfolio.universe import Universe

MACRO_LATE_SESSIONS = 5  # FRED prints a day later, and an optional series may be carried three sessions
DRIVER_DEAD_SESSIONS = 3  # a regime read three sessions late is not one
HEAD_BYTES, MAGIC = 12, b"DUCK"  # a DuckDB file has its name in bytes 8 to 12
RUNS_LOOKED_AT = 50  # a few weeks of days, with commands by hand between
FAILURES = frozenset({"failed", "refused", "busy"})
DISK_LOW = 1_000_000_000  # bytes: a few backups' room
DISK_FULL = 100_000_000  # bytes: the next write may fail


class Status(IntEnum):
    """How well it is; the worst check is the whole's."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One check's verdict; `to_do` is empty when there is nothing to do."""

    name: str
    status: Status
    seen: str
    to_do: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {"check": self.name, "status": self.status.name, "seen": self.seen, "to_do": self.to_do}


def check_health(settings: Settings, universe: Universe, now: datetime) -> tuple[Check, ...]:
    """Run every check; `now` is the wall clock, which the sample replaces by its own newest fetch."""
    path = settings.store_path
    try:
        with open_reader(path, settings.source) as store:
            instant = (newest_fetch(store) or now) if settings.source == "sample" else now
            checks = _store_checks(store, path, universe, instant)
    except StoreError as error:
        checks = (Check("store", Status.UNHEALTHY, str(error), "do what the message says"),)
    return (*checks, check_live(path), check_disk(path))


def worst(checks: tuple[Check, ...]) -> Status:
    """Return the status of the whole."""
    return max((check.status for check in checks), default=Status.UNHEALTHY)


def _store_checks(store: Store, live_path: Path, universe: Universe, instant: datetime) -> tuple[Check, ...]:
    signal = read_signal(store)
    calendars = Calendars(recent_sessions(store), instant)
    # A writer that ends, well or not, checkpoints: only one that was killed leaves its write-ahead log behind.
    interrupted = wal_path(live_path).exists() and read_holder(live_path) is None
    return (
        Check("store", Status.HEALTHY, f"published copy {store.path.name} opens"),
        check_runs(read_runs(store, RUNS_LOOKED_AT), interrupted=interrupted),
        check_signal(calendars, signal),
        *check_orders(signal, read_orders(store)),
        *check_model(signal),
        check_prices(calendars, newest_price_days(store), universe),
        check_macro(calendars, newest_macro_days(store), universe),
        *check_findings(signal),
    )


def check_runs(runs: Sequence[Run], *, interrupted: bool) -> Check:
    """Look at how the newest run of each command ended; a later `run` makes up for a failure of any of its stages.

    `runs` are newest first; `interrupted` tells that a writer was killed after the newest of them.
    """
    if not runs:
        return Check("runs", Status.DEGRADED, "no run is journaled", "run `portfolio run`")
    newest = runs[0]
    seen = _told(newest)
    if interrupted or newest.finished_at is None:
        told = f"a writer was interrupted; the newest one journaled: {seen}"
        return Check("runs", Status.DEGRADED, told, "run `portfolio run` again: what was committed is kept")
    failed = _not_made_up(runs)
    if failed is not None:
        told = f"{failed.command} {failed.run_id}, started {failed.started_at:%Y-%m-%d %H:%M} UTC: {failed.outcome}"
        return Check(
            "runs", Status.DEGRADED, told, "see its log lines (LOG_FILE, or the system's journal); run it again"
        )
    return Check("runs", Status.HEALTHY, seen)


def _told(run: Run) -> str:
    return f"{run.command} {run.run_id}, started {run.started_at:%Y-%m-%d %H:%M} UTC: {run.outcome or 'no end'}"


def _not_made_up(runs: Sequence[Run]) -> Run | None:
    """Return the newest failed run that no later run of the same command, or of the whole day, has made up for."""
    done: set[str] = set()
    for run in runs:
        if run.outcome in FAILURES and not done & {run.command, "run"}:
            return run
        if run.outcome not in FAILURES:
            done.add(run.command)
    return None


def check_orders(signal: SignalRow | None, orders: OrdersRow | None) -> tuple[Check, ...]:
    """Look at whether the newest decision has its plan."""
    if signal is None:
        return ()
    if orders is None or (orders.session, orders.signal_revision) != (signal.session, signal.revision):
        seen = f"no orders were planned for session {signal.session}, revision {signal.revision}"
        return (Check("orders", Status.DEGRADED, seen, "run `portfolio orders`"),)
    return (Check("orders", Status.HEALTHY, f"planned for session {orders.session}"),)


def check_model(signal: SignalRow | None) -> tuple[Check, ...]:
    """Look at what read the regime for the newest decision."""
    if signal is None:
        return ()
    rules = {item["rule"] for item in _findings_of(signal)}
    if signal.decision == "TARGET" and signal.model_id is None:
        seen, to_do = "no trusted model: the neutral table decides", "read the reasons: `portfolio signal`"
    elif "champion-old" in rules:
        seen, to_do = f"{signal.model_id} is old, no challenger passes its gates", "look at the gates on the page"
    elif "model-override" in rules:
        seen, to_do = f"{signal.model_id} overrides the champion", "take HMM_MODEL_PATH out when that is not meant"
    else:
        return (Check("model", Status.HEALTHY, signal.model_id or "none was needed: HOLD"),)
    return (Check("model", Status.DEGRADED, seen, to_do),)


def check_signal(calendars: Calendars, signal: SignalRow | None) -> Check:
    """Look at whether the newest session that opened was decided, and how."""
    opened = calendars.last_opened()
    if signal is None or opened is None:
        return Check("signal", Status.UNHEALTHY, "nothing was ever decided", "run `portfolio run`")
    if not calendars.reaches_now:
        seen = f"{signal.decision} for session {signal.session}; the stored calendar ended on {opened[0]}"
        return Check("signal", Status.UNHEALTHY, seen, "nothing was updated for months: run `portfolio run`")
    behind = calendars.behind(HOME, signal.session, opened[0])
    seen = f"{signal.decision} for session {signal.session}, {behind} session(s) behind"
    if behind:
        status = Status.DEGRADED if behind == 1 else Status.UNHEALTHY
        return Check("signal", status, seen, "run `portfolio run`; look whether the schedule is alive")
    if signal.decision == "HOLD":
        return Check("signal", Status.DEGRADED, seen, "read the reasons: `portfolio signal`")
    return Check("signal", Status.HEALTHY, seen)


def check_prices(calendars: Calendars, newest: Mapping[str, date], universe: Universe) -> Check:
    """Look at how far each price series reaches, against what the newest opened session could have known."""
    drivers = {driver.symbol for driver in universe.drivers}
    late, status = [], Status.HEALTHY
    for symbol, exchange in universe.exchanges.items():
        if symbol not in newest:
            continue
        behind = calendars.behind(exchange, newest[symbol], calendars.expected_on(exchange))
        if behind:
            dead = symbol in drivers and behind >= DRIVER_DEAD_SESSIONS
            status = max(status, Status.UNHEALTHY if dead else Status.DEGRADED)
            late.append(f"{symbol} {behind} session(s) behind")
    missing = [symbol for symbol in universe.exchanges if symbol not in newest]
    if drivers & set(missing):
        status = Status.UNHEALTHY
    seen = "; ".join(late) or f"{len(newest)} series, newest {max(newest.values(), default=None)}"
    none = f"; no series for {', '.join(missing)}" if missing else ""
    return Check("prices", status, seen + none, "run `portfolio update`" if status else "")


def check_macro(calendars: Calendars, newest: Mapping[str, date], universe: Universe) -> Check:
    """Look at how far the optional macro series reach; they never make the whole worse than DEGRADED."""
    expected = calendars.expected_on("XNYS")
    behind = {
        item.series: calendars.behind("XNYS", newest[item.series], expected)
        for item in universe.macro
        if item.series in newest
    }
    late = [f"{series} {count} session(s) behind" for series, count in behind.items() if count > MACRO_LATE_SESSIONS]
    seen = "; ".join(late) or f"{len(newest)} series, newest {max(newest.values(), default=None)}"
    return Check("macro", Status.DEGRADED if late else Status.HEALTHY, seen, "run `portfolio update`" if late else "")


def check_findings(signal: SignalRow | None) -> tuple[Check, ...]:
    """Look at what the newest decision's checks found."""
    if signal is None:
        return ()
    findings = _findings_of(signal)
    errors = [item for item in findings if item["severity"] == "error"]
    warnings = [item for item in findings if item["severity"] == "warning"]
    seen = f"{len(errors)} error(s), {len(warnings)} warning(s), {len(findings)} in all"
    to_do = f"first: {errors[0]['message']}" if errors else ""
    return (Check("findings", Status.DEGRADED if errors else Status.HEALTHY, seen, to_do),)


def _findings_of(signal: SignalRow) -> list[dict[str, Any]]:
    return json.loads(signal.answer)["data"]["findings"]


def check_live(path: Path) -> Check:
    """Look at the live file itself: the other checks read its published copy.

    Only its first bytes: this process has no connection to it whose lock an open could drop.
    """
    try:
        with live_path(path).open("rb") as file:
            whole = file.read(HEAD_BYTES)[-len(MAGIC) :] == MAGIC
        seen = f"{path.name}, {live_path(path).stat().st_size / 1e6:.1f} MB" if whole else f"{path} is no DuckDB file"
    except OSError as error:
        whole, seen = False, f"{path} cannot be read ({error.strerror})"
    to_do = (
        "" if whole else "`portfolio run` says what to do; the published copy beside it still has the ledger and log"
    )
    return Check("live store", Status.HEALTHY if whole else Status.UNHEALTHY, seen, to_do)


def check_disk(path: Path) -> Check:
    """Look at the room left where the store is."""
    try:
        folder = next((parent for parent in path.parents if parent.exists()), path.anchor)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("disk", Status.UNHEALTHY, f"{error.filename}: {error.strerror}", "mend the rights, or DATA_DIR")
    status = Status.UNHEALTHY if free < DISK_FULL else Status.DEGRADED if free < DISK_LOW else Status.HEALTHY
    return Check("disk", status, f"{free / 1e9:.1f} GB free", "make room" if status else "")
