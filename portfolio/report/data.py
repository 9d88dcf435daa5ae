"""What the page shows, as plain frozen records. Weights and probabilities are fractions, money is EUR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date, datetime

    from pandas import DataFrame, Series

    from portfolio.findings import Finding
    from portfolio.universe import Instrument

Basis = Literal["observed", "stand-in", "reconstructed"]


@dataclass(frozen=True, slots=True)
class DecisionPart:
    """The decision; `weights` are the targets, on HOLD what is held. `target_before` is the last logged target."""

    session: date
    as_of: date
    decided_at: datetime
    decision: Literal["TARGET", "HOLD"]
    weights: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    target_before: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit; `bound` tells that it changed the target.

    `applies_to` names the lines that each stand under it alone (every ETF for the position limit, CASH for the
    cash buffer, none for a limit on a sum): the chart marks it there.
    """

    name: str
    rule: Literal["at most", "at least"]
    limit: float
    target: float | None
    held: float | None = None
    after_orders: float | None = None
    bound: bool = False
    applies_to: tuple[str, ...] = ()

    def slack(self, weight: float | None) -> float | None:
        """Return how far a weight is inside the limit; negative means breached."""
        if weight is None:
            return None
        return self.limit - weight if self.rule == "at most" else weight - self.limit

    @property
    def slack_left(self) -> float | None:
        """Return the smaller slack of target and account after the orders."""
        slacks = [slack for slack in (self.slack(self.target), self.slack(self.after_orders)) if slack is not None]
        return min(slacks, default=None)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One proposed order, whole shares, at an estimated price.

    `amount_eur` is the plan's, before the fee: reckoned again, it could round to another cent.
    """

    ticker: str
    name: str
    isin: str
    side: Literal["sell", "buy"]
    quantity: int
    price_eur: float
    amount_eur: float
    fee_eur: float
    reason: str

    @property
    def cash_effect_eur(self) -> float:
        """Return what the order adds to the cash, its fee paid."""
        return (self.amount_eur if self.side == "sell" else -self.amount_eur) - self.fee_eur


@dataclass(frozen=True, slots=True)
class OrdersPart:
    """The plan; when it has no orders `why_none` says why, `refused` marks a plan that broke a limit.

    `findings` are about the plan, heavy fees say.
    """

    orders: tuple[OrderRow, ...] = ()
    cash_before_eur: float | None = None
    cash_after_eur: float | None = None
    weights_after: dict[str, float] | None = None
    why_none: str = ""
    refused: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One line held; cost and gain are None when the ledger does not tell them.

    `at_cost` marks a line without any known close: price and value are then what it cost.
    """

    ticker: str
    name: str
    quantity: int
    price_eur: float
    value_eur: float
    weight: float
    cost_eur: float | None = None
    gain_eur: float | None = None
    at_cost: bool = False


@dataclass(frozen=True, slots=True)
class AccountPart:
    """What the account holds, valued at the newest known closes."""

    rows: tuple[PositionRow, ...] = ()
    cash_eur: float = 0.0
    total_eur: float = 0.0
    weights: dict[str, float] = field(default_factory=dict)  # held, CASH included
    ledger_empty: bool = False  # then the account is INITIAL_CASH and nothing else


@dataclass(frozen=True, slots=True)
class RegimePart:
    """Filtered probabilities, now and over time.

    `probabilities`: label -> fraction, calmest label first, most volatile last.
    `history`: filtered probabilities, index observed_on (naive midnight, sorted), columns the labels; never smoothed.
    `driver`: index level > 0 on observed_on. `vol_annual`: realised 21-session volatility, fraction per year, or None.
    """

    probabilities: dict[str, float]
    history: DataFrame
    driver: Series
    driver_name: str
    vol_annual: Series | None = None


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One row of the decision log; `stressed` is the probability of the most volatile state it was made with."""

    session: date
    decision: str
    weights: dict[str, float]
    changed: bool
    stressed: float | None = None


@dataclass(frozen=True, slots=True)
class FreshnessRow:
    """How new one series is. `made_from` says what a stand-in or a reconstruction is made of."""

    symbol: str
    name: str
    newest: date | None
    expected: date | None
    sessions_behind: int | None
    basis: Basis
    made_from: str = ""


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state of the model: mean and volatility per year, chance to stay one session, expected stay in sessions."""

    label: str
    mean_annual: float | None
    vol_annual: float | None
    persistence: float
    duration_sessions: float
    occupancy: float | None = None


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate of the fit; `value` and `rule` are text as the fit explains them."""

    name: str
    value: str
    rule: str
    passed: bool


@dataclass(frozen=True, slots=True)
class ModelPart:
    """The model behind the probabilities."""

    model_id: str
    fit_start: date
    fit_end: date
    features: tuple[str, ...] = ()
    states: tuple[StateRow, ...] = ()
    gates: tuple[GateRow, ...] = ()
    note: str = ""  # where it comes from: champion, fitted for this decision, read-only override


@dataclass(frozen=True, slots=True)
class RunPart:
    """The run that made the page; `store_kind` is "sample" or "live"."""

    run_id: str
    release: str
    store_kind: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page. `instruments` give names and the order of the lines."""

    decision: DecisionPart
    run: RunPart
    instruments: tuple[Instrument, ...] = ()
    orders: OrdersPart = field(default_factory=OrdersPart)
    account: AccountPart = field(default_factory=AccountPart)
    limits: tuple[LimitRow, ...] = ()
    regime: RegimePart | None = None
    log: tuple[LoggedDecision, ...] = ()
    freshness: tuple[FreshnessRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    model: ModelPart | None = None
