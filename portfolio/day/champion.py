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
from portfolio.regime.artifact import read_manifest, read_model, read_model_at, write_model
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
    from portfolio.day.run import Run
    from portfolio.regime.model import RegimeModel
    from portfolio.store.connection import Store


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

    The newest champion with fit_end <= as_of serves until it is `PORTFOLIO_REFIT_SESSIONS` old; then a challenger is
    fitted on data up to as_of and judged. Raises ModelError when a model's files are damaged.
    """
    if run.settings.hmm_model_path:
        return _override(run, terms)
    reigning, missing = _reigning(store, run)
    usable = reigning if reigning and _serves(reigning.model, run, terms) else None
    due = usable is None or usable.sessions_since_promotion >= run.settings.refit_sessions
    if not due or regime_blocked(view, terms):
        model = usable.model if usable else None
        return Reader(model, "the champion", "" if model else "there is no champion and the data is blocked", missing)
    return _challenge(store, run, view, usable, missing, write=write)


def _override(run: Run, terms: Terms) -> Reader:
    path = run.settings.hmm_model_path
    if path is None:  # the caller looked
        return Reader(None, "", "no model")
    model = read_model_at(path)
    if model.fit_end > run.moment.as_of or not _serves(model, run, terms):
        message = (
            f"HMM_MODEL_PATH {path} holds {model.model_id}, fitted up to {model.fit_end}: {len(model.labels)} states, "
            f"{', '.join(model.feature_names)}. The decision needs one fitted up to {run.moment.as_of} at most, "
            f"{run.settings.states} states on {', '.join(terms.features.names)}. Choose another or unset it."
        )
        raise ModelError(message)
    return Reader(model, f"the read-only override {path}")


def _serves(model: RegimeModel, run: Run, terms: Terms) -> bool:
    return model.feature_names == terms.features.names and len(model.labels) == run.settings.states


def _reigning(store: Store, run: Run) -> tuple[_Reigning | None, tuple[Finding, ...]]:
    row = read_champion(store, run.moment.as_of)
    if row is None:
        return None, ()
    if not (run.models_dir / row.model_id).exists():
        message = f"The champion {row.model_id} has no files under {run.models_dir} any more: a new model is fitted."
        return None, (Finding(Severity.WARNING, "champion-missing", row.model_id, message, run.moment.session),)
    promoted = [promotion for promotion in read_promotions(store) if promotion.model_id == row.model_id][-1]
    day = promoted.promoted_at.astimezone(PARIS).date()
    return _Reigning(
        read_model(run.models_dir, row.model_id), sessions_apart(HOME_EXCHANGE, day, run.moment.session)
    ), ()


def _challenge(
    store: Store, run: Run, view: View, reigning: _Reigning | None, findings: tuple[Finding, ...], *, write: bool
) -> Reader:
    champion = reigning.model if reigning else None
    window = view.features[view.features.index <= pd.Timestamp(run.moment.as_of)]
    try:
        fit = fit_model(window, fit_spec_of(run.settings), champion)
    except ModelError as error:
        unfitted = _finding(run, Severity.WARNING, "fit-failed", "", str(error))
        return Reader(champion, "the champion", f"no model could be fitted ({error})", (*findings, unfitted))
    since = reigning.sessions_since_promotion if reigning else None
    verdict = judge_challenger(fit, champion, since, run.settings.refit_sessions)
    if write:
        _record(store, run, fit, verdict)
    told = _finding(run, _severity(verdict), f"challenger-{verdict.outcome}", fit.model.model_id, _told(fit, verdict))
    if verdict.outcome is Outcome.PROMOTE:
        return Reader(fit.model, "fitted and promoted for this session", "", (*findings, told))
    if champion is None:
        return Reader(None, "none", f"the fit failed its gates: {'; '.join(verdict.reasons)}", (*findings, told))
    return Reader(champion, "the champion", "", (*findings, told))


def _record(store: Store, run: Run, fit: Fit, verdict: Verdict) -> None:
    folder = write_model(run.models_dir, fit, {"run_id": run.run_id, "fitted_at": run.started_at.isoformat()})
    model = fit.model
    manifest = json.dumps(read_manifest(folder), sort_keys=True)
    append_model(
        store,
        ModelRow(model.model_id, run.started_at, run.run_id, model.fit_start, model.fit_end, fit.passed, manifest),
    )
    if verdict.outcome is Outcome.PROMOTE:
        reasons = json.dumps(list(verdict.reasons))
        append_promotion(store, PromotionRow(model.model_id, run.moment.decided_at, run.run_id, reasons))


def _severity(verdict: Verdict) -> Severity:
    return Severity.WARNING if verdict.outcome is Outcome.REJECT else Severity.INFO


def _told(fit: Fit, verdict: Verdict) -> str:
    model = fit.model
    return f"Challenger {model.model_id} ({model.fit_start} to {model.fit_end}): {'; '.join(verdict.reasons)}."


def _finding(run: Run, severity: Severity, rule: str, subject: str, message: str) -> Finding:
    return Finding(severity, rule, subject, message, run.moment.session)
