"""The signal as one JSON document, its fingerprint, and what the next day needs of it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import TYPE_CHECKING, Any

from portfolio.allocation.decide import PreviousTarget
from portfolio.sessions import HOME_EXCHANGE, sessions_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.decision import Outcome, Standing
    from portfolio.regime.model import RegimeModel
    from portfolio.sessions import Moment
    from portfolio.sources.checks import Freshness

# What makes two answers the same decision; when it was taken and how fresh the data looked do not.
DECIDING = ("session", "as_of", "decision", "regime", "weights", "limits_bound", "reasons", "model_id", "target")


def answer_of(outcome: Outcome, moment: Moment, standing: Standing, model: RegimeModel | None) -> dict[str, Any]:
    """Write a decision as plain JSON values."""
    decision = outcome.decision
    return {
        "session": moment.session.isoformat(),
        "as_of": moment.as_of.isoformat(),
        "decided_at": moment.decided_at.isoformat(),
        "decision": decision.decision,
        "regime": {
            "labels": list(model.labels) if model else [],
            "probabilities": decision.probabilities or {},
        },
        "weights": decision.weights,
        "limits_bound": list(decision.limits_bound),
        "reasons": list(decision.reasons),
        "model_id": decision.model_id,
        "changed": decision.changed,
        "target": _target(outcome, standing),
        "data": {
            "freshness": [_freshness(row) for row in outcome.freshness],
            "findings": [finding.as_dict() for finding in outcome.findings],
        },
    }


def fingerprint(answer: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what makes an answer the same decision as another."""
    deciding = {name: answer[name] for name in DECIDING}
    return hashlib.sha256(canonical(deciding).encode()).hexdigest()


def canonical(document: object) -> str:
    """Write a document so that equal content is equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def as_logged(document: object) -> str:
    """Write a document for the log, its keys in the order a person reads them in."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def target_in_force(answer: Mapping[str, Any] | None, session: date) -> PreviousTarget | None:
    """Read the target that stood after an earlier answer, with its age in sessions on the given one."""
    if answer is None or answer["target"] is None:
        return None
    target = answer["target"]
    since = date.fromisoformat(target["since"])
    return PreviousTarget(since, target["weights"], sessions_apart(HOME_EXCHANGE, since, session))


def _target(outcome: Outcome, standing: Standing) -> dict[str, Any] | None:
    """Return the target that stands after this decision: a HOLD passes on the one before it."""
    decision, previous = outcome.decision, standing.previous
    if decision.decision == "TARGET" and (decision.changed or previous is None):
        return {"weights": decision.weights, "since": decision.session.isoformat()}
    if previous is None:
        return None
    return {"weights": dict(previous.weights), "since": previous.session.isoformat()}


def _freshness(row: Freshness) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "kind": row.kind,
        "newest": row.observed_on.isoformat() if row.observed_on else None,
        "expected": row.expected_on.isoformat(),
        "sessions_behind": row.sessions_behind,
        "basis": row.basis,
    }
