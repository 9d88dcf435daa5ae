"""One session's decision from what was known: the path that the daily run, a replay and a back-test all take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.allocation.decide import Decision, DecisionInput, PreviousTarget, decide
from portfolio.features.build import VOL_WINDOW_SESSIONS, build_features
from portfolio.findings import Finding, Severity
from portfolio.regime.filter import filter_probabilities
from portfolio.regime.hmm import MINIMUM_ROWS
from portfolio.sessions import CALENDAR_START, HOME_EXCHANGE, KNOWN_FROM, price_known_at, sessions_between
from portfolio.sources.checks import blocking, check_known, freshness
from portfolio.universe import CASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portfolio.day.known import KnownData
    from portfolio.day.terms import Terms
    from portfolio.regime.model import RegimeModel
    from portfolio.sessions import Moment
    from portfolio.sources.checks import Freshness

TOO_EARLY = "too-early"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the account stands before the decision: the target in force, and what it holds (None when unknown).

    `findings` are what the account itself gives rise to, a split that was not booked say.
    """

    previous: PreviousTarget | None
    holdings: Mapping[str, float] | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What the known data says before any model: features (empty when a driver is missing), findings, freshness."""

    features: pd.DataFrame
    findings: tuple[Finding, ...]
    freshness: tuple[Freshness, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision with what it was taken from. `history` are the filtered probabilities, None without a model."""

    decision: Decision
    history: pd.DataFrame | None
    findings: tuple[Finding, ...]
    freshness: tuple[Freshness, ...]


def view_of(known: KnownData, terms: Terms, moment: Moment) -> View:
    """Check the series believed at the moment and build the features they give."""
    findings = check_known(known.prices, known.macro, known.quarantined, terms.watched, moment, terms.macro_wanted)
    fresh = freshness(known.prices, known.macro, terms.universe, moment, terms.macro_wanted)
    closes = known.closes(terms.features.drivers)
    macro = known.macro_by_known_day(pd.DatetimeIndex(closes.index), terms.macro_wanted)
    features = build_features(closes, macro, terms.features)
    found = (*_too_early(moment), *findings, *_untradable(terms, moment), *_unfinished(features, closes))
    return View(features, found, fresh)


def regime_blocked(view: View, terms: Terms) -> tuple[Finding, ...]:
    """Return the findings that leave no regime to read: those about the drivers, wanted macro series, or the whole."""
    if early := tuple(finding for finding in view.findings if finding.rule == TOO_EARLY):
        return early  # what is stale by it is no further reason, and no fetch would help
    return blocking(view.findings, terms.drivers | terms.macro_wanted)


def decide_session(
    view: View, terms: Terms, moment: Moment, standing: Standing, model: RegimeModel | None, fallback_reason: str
) -> Outcome:
    """Decide one session's weights.

    The regime's own findings block first. Then the target is worked out, and a finding about anything that is held
    or would be targeted blocks it after all: the day is HOLD, with the reasons.
    """
    view = replace(view, findings=(*view.findings, *of_account(standing, terms), *_too_short(view, model)))
    history = filter_probabilities(model, view.features) if model is not None and not view.features.empty else None
    wanted = DecisionInput(
        session=moment.session,
        universe=terms.universe,
        policy=terms.policy,
        limits=terms.limits,
        tradable=terms.tradable,
        probabilities=_newest(history),
        fallback_reason=fallback_reason,
        previous=standing.previous,
        holdings=standing.holdings,
        blocking=regime_blocked(view, terms),
        reconstructed=terms.reconstructed,
        model_id=model.model_id if model is not None else None,
    )
    decision = decide(wanted)
    if decision.decision == "TARGET":
        blocked = trade_blocked(view, terms, decision.weights, standing.holdings)
        decision = decide(replace(wanted, blocking=blocked)) if blocked else decision
    return Outcome(decision, history, (*view.findings, *decision.findings), view.freshness)


def trade_blocked(
    view: View, terms: Terms, target: Mapping[str, float], holdings: Mapping[str, float] | None
) -> tuple[Finding, ...]:
    """Return the findings that forbid trading from holdings to target: about the regime or a line of either."""
    weights = [*target.items(), *(holdings or {}).items()]
    lines = frozenset(ticker for ticker, weight in weights if weight > 0 and ticker != CASH)
    return blocking(view.findings, terms.drivers | terms.macro_wanted | lines)


def _newest(history: pd.DataFrame | None) -> dict[str, float] | None:
    if history is None:
        return None
    return {str(label): float(value) for label, value in history.iloc[-1].items()}


def _untradable(terms: Terms, moment: Moment) -> tuple[Finding, ...]:
    """Tell of lines that are not targeted: those without a series, and those a PEA may not hold."""
    found = []
    for item in terms.universe.instruments:
        if item.ticker not in terms.priced:
            rule, why = "no-series", f"The source has no series for {item.ticker}"
        elif not item.pea_eligible:
            rule, why = "not-eligible", f"A PEA may not hold {item.ticker} ({item.pea_source}, {item.pea_checked_on})"
        else:
            continue
        message = f"{why}: its share of the weights goes to {CASH}."
        found.append(Finding(Severity.WARNING, rule, item.ticker, message, moment.session))
    return tuple(found)


def _too_early(moment: Moment) -> tuple[Finding, ...]:
    """Block an instant at which a session is running, or its close cannot be known yet.

    The next session would be decided without the one before it, and acted on as if it had been.
    """
    running = sessions_between(HOME_EXCHANGE, moment.as_of, moment.session)[1:-1]
    if running:
        what = f"The session of {running[0]} is not over"
    elif price_known_at([moment.as_of])[0] > moment.decided_at:
        what = f"The closes of {moment.as_of} cannot be known yet"
    else:
        return ()
    message = (
        f"{what}: {moment.session} is decided from {KNOWN_FROM:%H:%M} in Paris on, before it opens. Run again then."
    )
    return (Finding(Severity.ERROR, TOO_EARLY, "", message, moment.session),)


def of_account(standing: Standing, terms: Terms) -> tuple[Finding, ...]:
    """Block what is held and has no series: it can be neither valued nor sold at a known price."""
    held = [ticker for ticker, weight in (standing.holdings or {}).items() if weight > 0 and ticker != CASH]
    return standing.findings + tuple(
        Finding(
            Severity.ERROR,
            "held-without-series",
            ticker,
            f"{ticker} is held and the source has no series for it: it cannot be valued. Use a source that has one.",
        )
        for ticker in held
        if ticker not in terms.priced
    )


def _too_short(view: View, model: RegimeModel | None) -> tuple[Finding, ...]:
    """Block when the model would be read on hardly any history: its first rows only say what it starts from."""
    rows = len(view.features)
    if model is None or rows >= MINIMUM_ROWS:
        return ()
    message = (
        f"Only {rows} sessions have all features, {MINIMUM_ROWS} are needed to read {model.model_id} (fitted on "
        f"{model.fit_rows}): history is missing. Fetch the whole of it with `portfolio update "
        f"--since {CALENDAR_START}`."
    )
    return (Finding(Severity.ERROR, "history-short", "", message, value=str(rows)),)


def _unfinished(features: pd.DataFrame, closes: pd.DataFrame) -> tuple[Finding, ...]:
    """Block when the newest day of the drivers has no feature row: an older regime must not pass for today's."""
    newest = closes.dropna(how="all").index
    if newest.empty or (not features.empty and features.index[-1] == newest[-1]):
        return ()
    seen = f"{features.index[-1]:%Y-%m-%d}" if not features.empty else "none"
    message = (
        f"The drivers reach {newest[-1]:%Y-%m-%d}, the features {seen}: every feature needs its value on the newest "
        f"session, volatility {VOL_WINDOW_SESSIONS + 1} sessions of all drivers ({len(newest)} there). Run `portfolio "
        f"update --since {CALENDAR_START}`, or change PORTFOLIO_FEATURES."
    )
    return (Finding(Severity.ERROR, "features-unfinished", "", message, newest[-1].date(), seen),)
