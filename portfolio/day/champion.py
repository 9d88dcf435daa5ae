"""Which model reads the regime today: the champion, a challenger that takes its place, or none that is trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.day.decision import View, regime_blocked
from portfolio.day.terms import Terms, fit_spec_of
from portfolio.errors import ModelError
from portfolio.findings import Finding, Severity
from portfolio.regime.artifact import manifest_of, read_manifest, read_model, read_model_at, write_model
from portfolio.regime.hmm import Fit, fit_model
from portfolio.regime.judge import Outcome, Verdict, judge_challenger
from portfolio.sessions import HOME_EXCHANGE, PARIS, sessions_apart
from portfolio.store.models import (
    ModelRow,
    PromotionRow,
    append_model,
    append_promotion,
    read_champion,
    read_promotions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.day.run import Run
    from portfolio.regime.model import RegimeModel
    from portfolio.store.connection import Store

GROWN = 1.1  # a history a tenth longer than the fit's own window was not there when it was fitted
COMPARABLE_SESSIONS = 250  # the relabelling gate compares a year: a champion older than that has not seen any of it
OLD_REFITS = 3  # refits missed before a champion is called old


@dataclass(frozen=True, slots=True)
class Reader:
    """The model that reads the regime (None: the fallback table decides, `fallback_reason` says why), and its story."""

    model: RegimeModel | None
    note: str
    fallback_reason: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reigning:
    """The champion in force and how many sessions ago it was promoted."""

    model: RegimeModel
    sessions_since_promotion: int


def choose_reader(store: Store, run: Run, view: View, terms: Terms, *, write: bool) -> Reader:
    """Choose today's model; with `write` a challenger that was fitted is recorded, and promoted when it won.

    The newest champion with fit_end <= as_of serves until it is `PORTFOLIO_REFIT_SESSIONS` old, or the settings or a
    longer history ask for another; then a challenger is fitted on data up to as_of and judged. Raises ModelError when
    a model's files are damaged.
    """
    if run.settings.hmm_model_path:
        return _override(run, terms, run.settings.hmm_model_path)
    reigning, findings = _reigning(store, run)
    usable = reigning if reigning and _serves(reigning.model, run, terms) else None
    if usable and _knows_too_little(usable.model, run, view):
        findings = (*findings, _told_short(run, usable.model))
        usable = None
    due = usable is None or usable.sessions_since_promotion >= run.settings.refit_sessions
    if not due or regime_blocked(view, terms):
        model = usable.model if usable else None
        return Reader(model, "the champion", "" if model else "there is no champion and the data is blocked", findings)
    return _challenge(store, run, view, usable, findings, write=write)


def _override(run: Run, terms: Terms, path: Path) -> Reader:
    model = read_model_at(path)
    if model.fit_end > run.moment.as_of or not _serves(model, run, terms):
        message = (
            f"HMM_MODEL_PATH {path} holds {model.model_id}, fitted up to {model.fit_end}: {_asked(model)}. "
            f"The decision needs one fitted up to {run.moment.as_of} at most: {run.settings.states} states, "
            f"{', '.join(terms.features.names)} of {', '.join(terms.features.drivers)}. Choose another or unset it."
        )
        raise ModelError(message)
    if not read_manifest(path).get("passed"):
        message = f"HMM_MODEL_PATH {path} holds {model.model_id}, which failed its gates: see its manifest. Unset it."
        raise ModelError(message)
    told = (
        f"HMM_MODEL_PATH overrides the champion with {model.model_id}, fitted up to {model.fit_end}: unset to end it."
    )
    return Reader(model, f"the read-only override {path}", "", (_finding(run, "model-override", model.model_id, told),))


def _asked(model: RegimeModel) -> str:
    return f"{len(model.labels)} states, {', '.join(model.feature_names)} of {', '.join(model.drivers)}"


def _serves(model: RegimeModel, run: Run, terms: Terms) -> bool:
    """Whether a model reads what the settings ask for."""
    asked = (terms.features.drivers, terms.features.names, run.settings.states)
    return (model.drivers, model.feature_names, len(model.labels)) == asked


def _knows_too_little(model: RegimeModel, run: Run, view: View) -> bool:
    """Whether the history has grown backwards since the fit: a first download that was cut short, say."""
    if run.settings.window_sessions:
        return False
    rows = int((view.features.index <= pd.Timestamp(model.fit_end)).sum())
    return rows > GROWN * model.fit_rows


def _told_short(run: Run, model: RegimeModel) -> Finding:
    message = (
        f"The champion {model.model_id} was fitted on {model.fit_rows} sessions from {model.fit_start} on, and the "
        "history now reaches far before: a new model is fitted."
    )
    return _finding(run, "champion-outgrown", model.model_id, message)


def _reigning(store: Store, run: Run) -> tuple[_Reigning | None, tuple[Finding, ...]]:
    row = read_champion(store, run.moment.as_of)
    if row is None:
        return None, ()
    if not (run.models_dir / row.model_id).exists():
        message = f"The champion {row.model_id} has no files under {run.models_dir} any more: a new model is fitted."
        return None, (_finding(run, "champion-missing", row.model_id, message),)
    promoted = [promotion for promotion in read_promotions(store) if promotion.model_id == row.model_id][-1]
    day = promoted.promoted_at.astimezone(PARIS).date()
    since = sessions_apart(HOME_EXCHANGE, day, run.moment.session)
    return _Reigning(read_model(run.models_dir, row.model_id), since), ()


def _challenge(
    store: Store, run: Run, view: View, reigning: _Reigning | None, findings: tuple[Finding, ...], *, write: bool
) -> Reader:
    champion = reigning.model if reigning else None
    window = view.features[view.features.index <= pd.Timestamp(run.moment.as_of)]
    spec = fit_spec_of(run.settings, run.universe)
    try:
        # A champion of another age is no measure of steadiness: it would veto every newer model for ever.
        fit = fit_model(window, spec, None if champion and _age(run, champion) > COMPARABLE_SESSIONS else champion)
    except ModelError as error:
        unfitted = _finding(run, "fit-failed", "", str(error))
        return _stays(run, champion, f"no model could be fitted ({error})", (*findings, unfitted))
    since = reigning.sessions_since_promotion if reigning else None
    verdict = judge_challenger(fit, champion, since, run.settings.refit_sessions)
    if write:
        _record(store, run, fit, verdict)
    told = _finding(run, f"challenger-{verdict.outcome}", fit.model.model_id, _told(fit, verdict), _severity(verdict))
    if verdict.outcome is Outcome.PROMOTE:
        return Reader(fit.model, "fitted and promoted for this session", "", (*findings, told))
    return _stays(run, champion, f"the fit failed its gates: {'; '.join(verdict.reasons)}", (*findings, told))


def _stays(run: Run, champion: RegimeModel | None, fallback_reason: str, findings: tuple[Finding, ...]) -> Reader:
    """Leave things as they are: the champion, however old it has become, or none."""
    if champion is None:
        return Reader(None, "none", fallback_reason, findings)
    age = _age(run, champion)
    if age > OLD_REFITS * run.settings.refit_sessions:
        message = (
            f"The champion {champion.model_id} knows nothing of the last {age} sessions, and no challenger has passed "
            "its gates since. Look at the gates on the page; loosen one only knowing why."
        )
        findings = (*findings, _finding(run, "champion-old", champion.model_id, message))
    return Reader(champion, "the champion", "", findings)


def _age(run: Run, model: RegimeModel) -> int:
    return sessions_apart(HOME_EXCHANGE, model.fit_end, run.moment.session)


def _record(store: Store, run: Run, fit: Fit, verdict: Verdict) -> None:
    """Record the fit; only a model that will decide gets files."""
    model, extras = fit.model, {"run_id": run.run_id, "fitted_at": run.started_at.isoformat()}
    manifest = json.dumps(manifest_of(fit, extras), sort_keys=True)
    row = ModelRow(model.model_id, run.started_at, run.run_id, model.fit_start, model.fit_end, fit.passed, manifest)
    if verdict.outcome is Outcome.PROMOTE:
        write_model(run.models_dir, fit, extras)
    append_model(store, row)
    if verdict.outcome is Outcome.PROMOTE:
        reasons = json.dumps(list(verdict.reasons))
        append_promotion(store, PromotionRow(model.model_id, run.moment.decided_at, run.run_id, reasons))


def _severity(verdict: Verdict) -> Severity:
    return Severity.WARNING if verdict.outcome is Outcome.REJECT else Severity.INFO


def _told(fit: Fit, verdict: Verdict) -> str:
    model = fit.model
    return f"Challenger {model.model_id} ({model.fit_start} to {model.fit_end}): {'; '.join(verdict.reasons)}."


def _finding(run: Run, rule: str, subject: str, message: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(severity, rule, subject, message, run.moment.session)
