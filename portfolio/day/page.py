"""The page's data, gathered from the log: the newest decision taken again, its plan, the account and the model."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from portfolio import __version__
from portfolio.allocation.weights import percent
from portfolio.day.account import Account, read_account
from portfolio.day.page_account import account_part, orders_part
from portfolio.day.signal import Replay, replay
from portfolio.features.build import SESSIONS_PER_YEAR
from portfolio.findings import Finding, Severity
from portfolio.regime.gates import occupancy
from portfolio.report.data import (
    DecisionPart,
    FreshnessRow,
    GateRow,
    LimitRow,
    LoggedDecision,
    ModelPart,
    RegimePart,
    ReportData,
    RunPart,
    StateRow,
)
from portfolio.sources.batch import STAND_IN
from portfolio.sources.sample import SAMPLE_LABELS
from portfolio.store.models import read_model as read_model_record
from portfolio.store.orders import read_orders
from portfolio.store.signals import read_signals
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.run import Run
    from portfolio.store.connection import Store

LOG_ROWS = 20  # a month of sessions
REPLAY_DIFFERS = "replay-differs"


def page_data(store: Store, run: Run) -> ReportData:
    """Gather everything the page shows.

    Raises StoreError when nothing was decided yet, ModelError when the decision's model is gone.
    """
    again = replay(store, run, None)
    account = read_account(store, run, again.known)
    plan_row = read_orders(store, again.row.session)
    plan = json.loads(plan_row.plan) if plan_row else None
    return ReportData(
        decision=_decision(again),
        run=RunPart(run.run_id, __version__, run.settings.source),
        instruments=again.terms.universe.instruments,
        orders=orders_part(again, account, plan),
        account=account_part(again, account),
        limits=_limits(again, account, plan),
        regime=_regime(again),
        log=_log(store),
        freshness=_freshness(run, again),
        findings=(*_logged_findings(again), *_disagreement(again)),
        model=_model(store, again),
    )


def _decision(again: Replay) -> DecisionPart:
    answer, previous = again.logged, again.standing.previous
    before = dict(previous.weights) if previous else None
    changed = {} if before is None else _changes(before, answer["weights"])
    return DecisionPart(
        session=again.row.session,
        as_of=again.row.as_of,
        decided_at=again.row.decided_at,
        decision=answer["decision"],
        weights=answer["weights"],
        reasons=tuple(answer["reasons"]),
        changes=tuple(f"{line} {percent(old)} to {percent(new)}" for line, (old, new) in changed.items()),
        target_before=before,
    )


def _changes(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    pairs = {line: (before.get(line, 0.0), after.get(line, 0.0)) for line in {**after, **before}}
    return {line: (old, new) for line, (old, new) in pairs.items() if old != new}


def _limits(again: Replay, account: Account, plan: dict[str, Any] | None) -> tuple[LimitRow, ...]:
    limits, target = again.terms.limits, again.logged["weights"]
    after = plan["weights_after"] if plan else None
    bound = " ".join(again.logged["limits_bound"])
    universe = again.terms.universe
    leveraged = tuple(ticker for ticker in universe.tickers if ticker in universe.leveraged)
    table = (
        ("One position", "at most", limits.max_single_position, universe.tickers, "max-single-position"),
        ("Leveraged ETFs", "at most", limits.max_leveraged, leveraged, "max-leveraged"),
        ("Cash", "at least", limits.min_cash, (CASH,), "min-cash"),
    )
    return tuple(
        LimitRow(
            name=name,
            rule=rule,
            limit=limit,
            target=_measured(key, lines, target),
            held=_measured(key, lines, account.valuation.weights),
            after_orders=_measured(key, lines, after) if after else None,
            bound=key in bound,
            applies_to=() if key == "max-leveraged" else lines,  # a limit on a sum is marked on no line
        )
        for name, rule, limit, lines, key in table
    )


def _measured(key: str, lines: tuple[str, ...], weights: Mapping[str, float]) -> float:
    """Return what a limit looks at: the largest of its lines, or all of them together."""
    found = [weights.get(line, 0.0) for line in lines]
    return max(found, default=0.0) if key == "max-single-position" else math.fsum(found)


def _regime(again: Replay) -> RegimePart | None:
    history, returns = again.outcome.history, again.view.features.get("return_log_1d")
    if history is None or returns is None:
        return None
    vol = again.view.features.get("log_vol_21d")
    return RegimePart(
        probabilities=dict(again.logged["regime"]["probabilities"]),
        history=history,
        driver=100 * returns.cumsum().map(math.exp),
        driver_name=f"Mean of {' and '.join(_driver_names(again))}",
        vol_annual=vol.map(math.exp) if isinstance(vol, pd.Series) else None,
    )


def _driver_names(again: Replay) -> tuple[str, ...]:
    """Name the drivers, and mark one whose values are another index's."""
    basis = {row["symbol"]: row["basis"] for row in again.logged["data"]["freshness"]}
    drivers = again.terms.universe.drivers
    return tuple(f"{d.name} (stand-in)" if basis.get(d.symbol) == STAND_IN else d.name for d in drivers)


def _log(store: Store) -> tuple[LoggedDecision, ...]:
    newest = {row.session: row for row in read_signals(store)}  # the last revision of a session wins
    rows = []
    for row in list(newest.values())[-LOG_ROWS:][::-1]:
        answer = json.loads(row.answer)
        stressed = answer["regime"]["probabilities"].get("stressed")
        rows.append(LoggedDecision(row.session, row.decision, answer["weights"], answer["changed"], stressed))
    return tuple(rows)


def _freshness(run: Run, again: Replay) -> tuple[FreshnessRow, ...]:
    universe = again.terms.universe
    names = {item.ticker: item.name for item in universe.instruments}
    names |= {item.symbol: item.name for item in universe.drivers} | {item.series: item.name for item in universe.macro}
    made = SAMPLE_LABELS if run.settings.source == "sample" else {}
    return tuple(
        FreshnessRow(
            symbol=row["symbol"],
            name=names.get(row["symbol"], row["symbol"]),
            newest=date.fromisoformat(row["newest"]) if row["newest"] else None,
            expected=date.fromisoformat(row["expected"]) if row["expected"] else None,
            sessions_behind=row["sessions_behind"],
            basis=row["basis"] or "observed",
            made_from=made.get(row["symbol"], ""),
        )
        for row in again.logged["data"]["freshness"]
    )


def _logged_findings(again: Replay) -> tuple[Finding, ...]:
    return tuple(Finding.from_dict(item) for item in again.logged["data"]["findings"])


def _disagreement(again: Replay) -> tuple[Finding, ...]:
    """Say so on the page when the decision it is made from, taken again, is not the logged one."""
    if again.agrees:
        return ()
    message = (
        f"The decision for {again.row.session} taken again from the log differs from the logged one: do not act on it. "
        "Run `portfolio signal --replay` to see both, and report it."
    )
    return (Finding(Severity.ERROR, REPLAY_DIFFERS, "", message, again.row.session),)


def _model(store: Store, again: Replay) -> ModelPart | None:
    model = again.model
    if model is None:
        return None
    record = read_model_record(store, model.model_id)
    manifest = json.loads(record.manifest) if record else {}
    returns = model.feature_names.index("return_log_1d")
    shares = occupancy(model, again.view.features)
    means = (model.means_[:, returns] * model.scale_[returns] + model.mean_[returns]) * SESSIONS_PER_YEAR
    states = tuple(
        StateRow(
            label=label,
            mean_annual=float(means[place]),
            vol_annual=float(model.volatilities[place]) * math.sqrt(SESSIONS_PER_YEAR),
            persistence=float(model.transmat_[place, place]),
            duration_sessions=float(model.expected_durations[place]),
            occupancy=float(shares[place]),
        )
        for place, label in enumerate(model.labels)
    )
    return ModelPart(
        model_id=model.model_id,
        fit_start=model.fit_start,
        fit_end=model.fit_end,
        features=model.feature_names,
        states=states,
        gates=tuple(_gate(gate) for gate in manifest.get("gates", ())),
        note=again.model_note,
    )


def _gate(gate: dict[str, Any]) -> GateRow:
    return GateRow(gate["name"], _gate_value(gate["name"], gate["value"]), gate["rule"], gate["passed"])


def _gate_value(name: str, value: float | None) -> str:
    if value is None:
        return "not compared"
    if name in {"occupancy", "stressed-occupancy", "relabelled"}:
        return f"{value:.1%}".replace("%", " %")
    return ("yes" if value else "no") if name == "converged" else f"{value:.4g}"
