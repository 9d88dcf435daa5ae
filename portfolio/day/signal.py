"""The signal stage: what was known in, a logged decision out; and the replay of a logged one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from portfolio.allocation.decide import PreviousTarget
from portfolio.day.account import Account, read_account
from portfolio.day.answer import answer_of, as_logged, fingerprint, target_in_force
from portfolio.day.champion import Reader, choose_reader
from portfolio.day.decision import TOO_EARLY, Outcome, Standing, View, decide_session, view_of
from portfolio.day.known import KnownData
from portfolio.day.terms import Terms, terms_as_json, terms_from_json, terms_of
from portfolio.errors import NotLoggedError
from portfolio.findings import Finding
from portfolio.regime.artifact import read_model, read_model_at
from portfolio.sessions import HOME_EXCHANGE, Moment, sessions_between
from portfolio.store.journal import append_findings
from portfolio.store.prices import Known, newest_batch, read_macro, read_prices, read_quarantined
from portfolio.store.signals import SignalRow, append_signal, read_signal, read_signal_before

if TYPE_CHECKING:
    from datetime import date, datetime

    from portfolio.day.run import Run
    from portfolio.regime.model import RegimeModel
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class Signal:
    """A decision and what it was taken from. `row` is the log's row, None when the session was not to be logged."""

    answer: dict[str, Any]
    outcome: Outcome
    reader: Reader
    view: View
    known: KnownData
    account: Account
    row: SignalRow | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A logged decision beside the same decision taken again from the log, and what that was taken from."""

    row: SignalRow
    logged: dict[str, Any]
    recomputed: dict[str, Any]
    terms: Terms
    standing: Standing
    known: KnownData
    view: View
    model: RegimeModel | None
    outcome: Outcome
    model_note: str

    @property
    def agrees(self) -> bool:
        """Whether all that decides is the same, to the bit."""
        return fingerprint(self.logged) == fingerprint(self.recomputed)


def decide_and_log(store: Store, run: Run, noticed: tuple[Finding, ...] = ()) -> Signal:
    """Decide the run's session and log it; `noticed` are findings of earlier stages that the answer should show.

    The log is chronological: a session older than its newest one, or the same one as at an earlier instant, is decided
    but not logged, and no model is recorded for it; nor is one that comes too early while the session before it has no
    decision. The same answer again adds no row.
    """
    newest = read_signal(store)
    terms = terms_of(run.settings, run.universe)
    known = read_known(store, run.moment.decided_at, newest_batch(store))
    view = view_of(known, terms, run.moment)
    write = newest is None or (_follows(run.moment, newest) and not _leaves_out(run.moment, newest, view))
    reader = choose_reader(store, run, view, terms, write=write)
    account = read_account(store, run, known)
    before = read_signal_before(store, run.moment.session)
    target = target_in_force(json.loads(before.answer) if before else None, run.moment.session)
    standing = Standing(target, account.valuation.weights, account.findings)
    outcome = decide_session(view, terms, run.moment, standing, reader.model, reader.fallback_reason)
    noticed = (*reader.findings, *noticed)
    outcome = replace(outcome, findings=(*outcome.findings, *noticed))
    answer = answer_of(outcome, run.moment, standing, reader.model)
    if not write:
        return Signal(answer, outcome, reader, view, known, account, None)
    append_findings(store, run.run_id, outcome.findings)
    row = append_signal(store, _row(run, answer, known, before, _circumstances(terms, standing, reader, noticed)))
    return Signal(json.loads(row.answer), outcome, reader, view, known, account, row)


def _follows(moment: Moment, newest: SignalRow) -> bool:
    return (moment.session, moment.decided_at) >= (newest.session, newest.decided_at)


def _leaves_out(moment: Moment, newest: SignalRow, view: View) -> bool:
    """Tell a HOLD that only comes too early from the session before it that nobody has decided and still may."""
    before = sessions_between(HOME_EXCHANGE, moment.as_of, moment.session)[-2]
    return newest.session < before and any(finding.rule == TOO_EARLY for finding in view.findings)


def read_known(store: Store, cutoff: datetime, batch_id: int) -> KnownData:
    """Read what was known at the cutoff to someone who had seen the batches up to `batch_id`."""
    known = Known(cutoff, batch_id)
    return KnownData(read_prices(store, known), read_macro(store, known), read_quarantined(store, known), batch_id)


def replay(store: Store, run: Run, session: date | None) -> Replay:
    """Take a logged decision again from its logged instant, batches, model, terms and standing.

    Raises NotLoggedError when the session was never logged, ModelError when its model's files are gone or damaged.
    """
    row = read_signal(store, session)
    if row is None:
        wanted = f"for session {session}" if session else "at all"
        message = f"The log has no decision {wanted}: run `portfolio run` first, or choose a logged session."
        raise NotLoggedError(message)
    logged = json.loads(row.settings_json)
    terms, standing = terms_from_json(logged["terms"]), _standing_from(logged)
    moment = Moment(row.decided_at, row.session, row.as_of)
    known = read_known(store, row.decided_at, row.batch_id)
    view, model = view_of(known, terms, moment), _logged_model(run, row)
    outcome = decide_session(view, terms, moment, standing, model, logged["fallback_reason"])
    outcome = replace(outcome, findings=(*outcome.findings, *_findings_from(logged["noticed"])))
    # A detour over text, so that both sides are what JSON can say.
    recomputed = json.loads(as_logged(answer_of(outcome, moment, standing, model)))
    return Replay(
        row, json.loads(row.answer), recomputed, terms, standing, known, view, model, outcome, logged["model_note"]
    )


def _logged_model(run: Run, row: SignalRow) -> RegimeModel | None:
    if row.model_id is None:
        return None
    if run.settings.hmm_model_path:
        override = read_model_at(run.settings.hmm_model_path)
        if override.model_id == row.model_id:
            return override
    return read_model(run.models_dir, row.model_id)


def _circumstances(terms: Terms, standing: Standing, reader: Reader, noticed: tuple[Finding, ...]) -> dict[str, Any]:
    previous = standing.previous
    return {
        "terms": terms_as_json(terms),
        "holdings": dict(standing.holdings) if standing.holdings is not None else None,
        "previous": None
        if previous is None
        else {
            "session": previous.session.isoformat(),
            "weights": dict(previous.weights),
            "sessions_since_change": previous.sessions_since_change,
        },
        "account_findings": [finding.as_dict() for finding in standing.findings],
        "noticed": [finding.as_dict() for finding in noticed],
        "fallback_reason": reader.fallback_reason,
        "model_note": reader.note,
    }


def _standing_from(logged: dict[str, Any]) -> Standing:
    previous = logged["previous"]
    target = (
        PreviousTarget(
            pd.Timestamp(previous["session"]).date(), previous["weights"], int(previous["sessions_since_change"])
        )
        if previous
        else None
    )
    return Standing(target, logged["holdings"], _findings_from(logged["account_findings"]))


def _findings_from(logged: list[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(Finding.from_dict(values) for values in logged)


def _row(
    run: Run, answer: dict[str, Any], known: KnownData, before: SignalRow | None, circumstances: dict[str, Any]
) -> SignalRow:
    return SignalRow(
        session=run.moment.session,
        revision=None,
        decided_at=run.moment.decided_at,
        recorded_at=run.started_at,
        as_of=run.moment.as_of,
        run_id=run.run_id,
        decision=answer["decision"],
        model_id=answer["model_id"],
        batch_id=known.batch_id,
        previous_session=before.session if before else None,
        previous_revision=before.revision if before else None,
        answer_sha256=fingerprint(answer),
        answer=as_logged(answer),
        settings_json=as_logged(circumstances),
    )
