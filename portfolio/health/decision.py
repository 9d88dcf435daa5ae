"""The newest decision: its age, its model, its plan, and what its checks found."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from portfolio.health.expected import HOME, PARIS, Calendars
from portfolio.health.verdict import Check, Status

if TYPE_CHECKING:
    from portfolio.store.orders import OrdersRow
    from portfolio.store.signals import SignalRow

DECIDED_WITHIN = timedelta(hours=1)  # of the day's time: the second try has started by then, and Paris is not open yet


def check_signal(calendars: Calendars, signal: SignalRow | None, *, unattended: bool = False) -> Check:
    """Look at whether the newest session that opened was decided, and how.

    Who runs it by hand may leave a session out; where flows run it unattended, one left out is one that failed.
    """
    opened = calendars.last_opened()
    if signal is None or opened is None:
        return Check("signal", Status.UNHEALTHY, "nothing was ever decided", "run `portfolio run`")
    if not calendars.reaches_now:
        seen = f"{signal.decision} for session {signal.session}; the stored calendar ended on {opened[0]}"
        return Check("signal", Status.UNHEALTHY, seen, "nothing was updated for months: run `portfolio run`")
    behind = calendars.behind(HOME, signal.session, opened[0])
    seen = f"{signal.decision} for session {signal.session}, {behind} session(s) behind"
    if behind:
        status = Status.DEGRADED if behind == 1 and not unattended else Status.UNHEALTHY
        return Check("signal", status, seen, "run `portfolio run`; look whether the schedule is alive")
    if signal.decision == "HOLD":
        return Check("signal", Status.DEGRADED, seen, "read the reasons: `portfolio signal`")
    return Check("signal", Status.HEALTHY, seen)


def is_decided(calendars: Calendars, signal: SignalRow | None) -> bool:
    """Tell whether the newest session that opened has its decision."""
    opened = calendars.last_opened()
    return signal is not None and opened is not None and calendars.reaches_now and signal.session >= opened[0]


def is_overdue(calendars: Calendars, signal: SignalRow | None, day_at: str) -> bool:
    """Tell whether the newest session whose deadline has passed is without a decision.

    A stored calendar that has ended counts as overdue: nobody knows on which days there is something to decide.
    """
    due = calendars.due_on_sessions(day_at, DECIDED_WITHIN)
    if due is None:
        return not calendars.reaches_now
    return signal is None or signal.session < due.astimezone(PARIS).date()


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
    rules = {item["rule"] for item in findings_of(signal)}
    if signal.decision == "TARGET" and signal.model_id is None:
        seen, to_do = "no trusted model: the neutral table decides", "read the reasons: `portfolio signal`"
    elif "champion-old" in rules:
        seen, to_do = f"{signal.model_id} is old, no challenger passes its gates", "look at the gates on the page"
    elif "model-override" in rules:
        seen, to_do = f"{signal.model_id} overrides the champion", "take HMM_MODEL_PATH out when that is not meant"
    else:
        return (Check("model", Status.HEALTHY, signal.model_id or "none was needed: HOLD"),)
    return (Check("model", Status.DEGRADED, seen, to_do),)


def check_findings(signal: SignalRow | None) -> tuple[Check, ...]:
    """Look at what the newest decision's checks found."""
    if signal is None:
        return ()
    findings = findings_of(signal)
    errors = [item for item in findings if item["severity"] == "error"]
    warnings = [item for item in findings if item["severity"] == "warning"]
    seen = f"{len(errors)} error(s), {len(warnings)} warning(s), {len(findings)} in all"
    to_do = f"first: {errors[0]['message']}" if errors else ""
    return (Check("findings", Status.DEGRADED if errors else Status.HEALTHY, seen, to_do),)


def findings_of(signal: SignalRow) -> list[dict[str, Any]]:
    """Return what the checks of a decision found, as it was logged."""
    return json.loads(signal.answer)["data"]["findings"]
