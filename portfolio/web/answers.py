"""Answers as documents: the newest decision, readiness, and the page that stands in while there is none."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from portfolio.health.decision import is_overdue
from portfolio.health.expected import HOME

if TYPE_CHECKING:
    from datetime import datetime

    from portfolio.health.published import Published
    from portfolio.settings import Settings
    from portfolio.store.signals import SignalRow

NONE_DECIDED = "No session was ever decided: the first `portfolio run`, or the daemon's next morning, does it."


def signal_document(published: Published, signal: SignalRow, settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the newest decision as `portfolio run --json` has it, and how far it is behind the newest opened session.

    `orders` is null while this decision has no plan; `overdue` says that a session past its deadline has no decision,
    so that nobody takes an old decision for today's.
    """
    seen = published.calendars(now)
    opened = seen.last_opened()
    behind = seen.behind(HOME, signal.session, opened[0]) if opened and seen.reaches_now else None
    return {
        "source": settings.source,
        "session": signal.session.isoformat(),
        "decision": signal.decision,
        "revision": signal.revision,
        "run_id": signal.run_id,
        "recorded_at": signal.recorded_at.isoformat(),
        "sessions_behind": behind,
        "overdue": is_overdue(seen, signal, settings.day_at),
        "signal": json.loads(signal.answer),
        "orders": json.loads(published.planned.plan) if published.planned else None,
    }


def stand_in_page(why: str) -> str:
    """Return a page that says why the report cannot be shown."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        'content="light dark"><meta name="robots" content="noindex"><title>No page · FinancePortfolio</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style></head>"
        f"<body><main><h1>No page to show</h1><p>{escape(why)}</p><p>What is known: <a "
        'href="/api/v1/health">health</a>.</p></main></body></html>\n'
    )
