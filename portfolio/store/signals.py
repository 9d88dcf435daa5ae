"""The log of decisions, append-only. Reading the newest works without pandas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime  # noqa: TC003  # dataclass tools read the annotations at run time
from typing import TYPE_CHECKING

from portfolio.errors import StoreError
from portfolio.store.rows import first, parameters, records

if TYPE_CHECKING:
    from portfolio.store.connection import Store


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A logged decision, with all that a replay needs.

    What was known: rows available at `decided_at` in batches up to `batch_id`. `previous_session` and
    `previous_revision` name the logged decision it followed, `settings_json` the settings it used, `answer` is the
    whole answer as JSON text and `answer_sha256` the fingerprint by which a rerun is recognised. `revision` counts
    from 1 within a session and is given by the store.
    """

    session: date
    revision: int | None
    decided_at: datetime
    recorded_at: datetime
    as_of: date
    run_id: str
    decision: str
    model_id: str | None
    batch_id: int
    previous_session: date | None
    previous_revision: int | None
    answer_sha256: str
    answer: str
    settings_json: str


_INSERT = """
INSERT INTO out.signals VALUES (
    $session, $revision, $decided_at, $recorded_at, $as_of, $run_id, $decision, $model_id, $batch_id,
    $previous_session, $previous_revision, $answer_sha256, $answer, $settings_json
)
"""
_NEWEST = """
SELECT session, revision, decided_at, recorded_at, as_of, run_id, decision, model_id, batch_id,
       previous_session, previous_revision, answer_sha256, answer, settings_json
FROM out.signals ORDER BY session DESC, revision DESC LIMIT 1
"""
_NEWEST_OF = """
SELECT session, revision, decided_at, recorded_at, as_of, run_id, decision, model_id, batch_id,
       previous_session, previous_revision, answer_sha256, answer, settings_json
FROM out.signals WHERE session = ? ORDER BY revision DESC LIMIT 1
"""
_NEWEST_BEFORE = """
SELECT session, revision, decided_at, recorded_at, as_of, run_id, decision, model_id, batch_id,
       previous_session, previous_revision, answer_sha256, answer, settings_json
FROM out.signals WHERE session < ? ORDER BY session DESC, revision DESC LIMIT 1
"""
_ALL = """
SELECT session, revision, decided_at, recorded_at, as_of, run_id, decision, model_id, batch_id,
       previous_session, previous_revision, answer_sha256, answer, settings_json
FROM out.signals ORDER BY session, revision
"""


def append_signal(store: Store, row: SignalRow) -> SignalRow:
    """Log a decision as the next revision of its session and return it as logged.

    The newest revision of the session with the same answer is returned instead, and no row added. Raises StoreError
    for a session older than the newest logged one.
    """
    with store.transaction():
        newest = read_signal(store)
        ensure_in_order("signal", row.session, newest.session if newest else None)
        same_session = newest if newest and newest.session == row.session else None
        if same_session and same_session.answer_sha256 == row.answer_sha256:
            return same_session
        logged = replace(row, revision=(same_session.revision or 0) + 1 if same_session else 1)
        store.connection.execute(_INSERT, parameters(logged))
    return logged


def ensure_in_order(what: str, session: date, newest: date | None) -> None:
    """Refuse to log behind the newest logged session."""
    if newest and session < newest:
        message = (
            f"A {what} for session {session} cannot be logged: the log is appended in chronological order and already "
            f"reaches {newest}. To see what an earlier session would have been, compute it without logging it."
        )
        raise StoreError(message)


def read_signal(store: Store, session: date | None = None) -> SignalRow | None:
    """Read the newest revision of a session's decision, of the newest session when none is given."""
    if session is None:
        return first(store.connection.execute(_NEWEST), SignalRow)
    return first(store.connection.execute(_NEWEST_OF, [session]), SignalRow)


def read_signal_before(store: Store, session: date) -> SignalRow | None:
    """Read the newest decision of any earlier session."""
    return first(store.connection.execute(_NEWEST_BEFORE, [session]), SignalRow)


def read_signals(store: Store) -> list[SignalRow]:
    """Read the whole log, oldest first, every revision."""
    return records(store.connection.execute(_ALL), SignalRow)
