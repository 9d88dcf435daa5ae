"""Whether a new model takes over from the champion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portfolio.regime.hmm import Fit
    from portfolio.regime.model import RegimeModel

# Promotion at most monthly: a change of model trades, and monthly to yearly refits differ by less than .01 of Sharpe.
SESSIONS_BETWEEN_PROMOTIONS = 21


class Outcome(StrEnum):
    """What happens to a challenger."""

    PROMOTE = "promote"
    KEEP = "keep"  # the challenger is sound, the champion stays all the same
    REJECT = "reject"  # the challenger failed a gate


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and the sentences that explain it."""

    outcome: Outcome
    reasons: tuple[str, ...]


def judge_challenger(
    challenger: Fit,
    champion: RegimeModel | None,
    sessions_since_promotion: int | None,
    minimum_sessions_between: int = SESSIONS_BETWEEN_PROMOTIONS,
) -> Verdict:
    """Judge whether a fit takes the champion's place.

    `sessions_since_promotion` counts sessions from the champion's promotion to now, None when it was never promoted.
    A champion that doesn't read what the challenger reads cannot serve the settings any more and gives way at once.
    """
    failed = tuple(
        f"gate {gate.name} failed: {gate.rule}; seen {gate.value:.4g}"
        for gate in challenger.gates
        if not gate.passed and gate.value is not None
    )
    if failed or not challenger.passed:
        return Verdict(Outcome.REJECT, failed)
    if champion is None:
        return Verdict(Outcome.PROMOTE, (f"{challenger.model.model_id} passed all gates and there is no champion",))
    return _against(champion, challenger.model, sessions_since_promotion, minimum_sessions_between)


def _against(champion: RegimeModel, model: RegimeModel, sessions_since: int | None, minimum: int) -> Verdict:
    """Judge a sound challenger by what it adds to a champion."""
    if champion.model_id == model.model_id:
        return Verdict(Outcome.KEEP, (f"the fit gave {champion.model_id} again",))
    if not model.reads_like(champion):
        return Verdict(
            Outcome.PROMOTE, (f"the settings ask for other features or states than {champion.model_id} has",)
        )
    if model.fit_end <= champion.fit_end:
        return Verdict(Outcome.KEEP, (f"{model.model_id} knows no session that {champion.model_id} did not know",))
    if sessions_since is not None and sessions_since < minimum:
        reason = f"{champion.model_id} was promoted {sessions_since} sessions ago, less than {minimum}"
        return Verdict(Outcome.KEEP, (reason,))
    return Verdict(Outcome.PROMOTE, (f"{model.model_id} passed all gates and is newer than {champion.model_id}",))
