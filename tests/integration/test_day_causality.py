"""Causality: whatever is not yet available at an instant, noise in its place changes no byte of the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portfolio.allocation.decide import PreviousTarget
from portfolio.day.account import Account
from portfolio.day.answer import answer_of, as_logged
from portfolio.day.decision import Standing, View, decide_session, view_of
from portfolio.day.known import KnownData
from portfolio.day.orders import plan_session
from portfolio.day.signal import decide_and_log
from portfolio.day.stages import writing
from portfolio.day.terms import terms_of
from portfolio.day.update import store_batch
from portfolio.ledger.positions import Positions
from portfolio.orders.valuation import value_positions
from portfolio.regime.hmm import fit_model
from portfolio.regime.model import model_bytes
from portfolio.regime.spec import FitSpec
from portfolio.sessions import PARIS, sessions_between
from portfolio.sources.batch import PRICE_DTYPES, empty_frame
from portfolio.sources.checks import check_batch
from portfolio.sources.sample import fetch_sample, sample_clock
from portfolio.universe import CASH, read_universe
from tests.support.days import paris, run_at, settings_in
from tests.support.noise import corrected, disturbed

if TYPE_CHECKING:
    from portfolio.regime.model import RegimeModel
    from portfolio.sources.batch import Batch

UNIVERSE = read_universe()
NO_PRICES = empty_frame(PRICE_DTYPES)
PLAIN = ("return_log_1d", "log_vol_21d")
SLOPE = (*PLAIN, "slope")
MACRO = (*PLAIN, "vix", "slope")  # the sample's VIX begins in 2014
FITTED_UP_TO: dict[tuple[str, ...], str] = {PLAIN: "2003-12-31", SLOPE: "2003-12-31", MACRO: "2015-06-30"}

# Instants at which a mistake by an hour, a day or a zone would show: the night and the first minutes in which closes
# become known, both nights on which the clocks change, days on which Paris, New York or both are closed.
TELLING = [
    (PLAIN, paris("2004-07-06 05:59")),
    (PLAIN, paris("2004-07-06 06:00")),
    (PLAIN, paris("2008-03-30 02:30")),  # an hour that is none
    (PLAIN, paris("2008-10-26 02:30")),
    (PLAIN, paris("2008-10-26 02:30").replace(fold=1)),
    (PLAIN, paris("2008-10-13 07:30")),  # after the week of the crash
    (SLOPE, paris("2009-05-01 07:30")),  # Paris closed, New York open
    (SLOPE, paris("2011-07-05 07:30")),  # New York closed the day before
    (SLOPE, paris("2012-10-31 07:30")),  # New York closed by a storm
    (SLOPE, paris("2013-12-25 12:00")),  # Paris closed
    (SLOPE, paris("2014-10-15 07:30")),  # FRED closed the day before, New York open
    (PLAIN, paris("2014-06-29 23:30")),
    (PLAIN, paris("2017-03-10 08:59")),
    (PLAIN, paris("2017-03-10 17:36")),  # Paris just closed
    (MACRO, paris("2016-11-09 07:30")),
    (MACRO, paris("2018-02-06 06:00")),
    (MACRO, paris("2018-11-23 07:30")),  # after a New York holiday
    (MACRO, paris("2018-12-05 22:00")),  # New York mourned
]


@lru_cache(maxsize=1)
def sample() -> Batch:
    return fetch_sample(UNIVERSE, sample_clock())


def between(batch: Batch, first: str | datetime, last: str | datetime) -> Batch:
    def cut(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[(frame["available_at"] >= pd.Timestamp(first)) & (frame["available_at"] <= pd.Timestamp(last))]

    return replace(batch, prices=cut(batch.prices), macro=cut(batch.macro))


def around(instant: datetime) -> Batch:
    """The sample's rows of the year before an instant that a regime is read from, and of the weeks around it."""
    near = between(sample(), instant - timedelta(days=420), instant + timedelta(days=20))
    drivers = near.prices["symbol"].isin([driver.symbol for driver in UNIVERSE.drivers])
    recent = near.prices["available_at"] >= pd.Timestamp(instant - timedelta(days=60))
    return replace(near, prices=near.prices[drivers | recent])


def known_of(batch: Batch, instant: datetime) -> KnownData:
    """What passed the checks and is available at the instant, as the store would hand it over."""
    checked = check_batch(batch, UNIVERSE, NO_PRICES)
    known = pd.Timestamp(instant)
    prices, macro, doubtful = (
        frame[frame["available_at"] <= known].sort_values([key, "observed_on"], ignore_index=True).assign(batch_id=1)
        for frame, key in ((checked.prices, "symbol"), (checked.macro, "series"), (checked.quarantined, "symbol"))
    )
    return KnownData(prices, macro, doubtful, batch_id=1)


@lru_cache
def early_model(features: tuple[str, ...]) -> RegimeModel:
    """A model fitted long before the instants it is used at."""
    run = run_at(settings_in(Path("early"), PORTFOLIO_FEATURES=features), paris(f"{FITTED_UP_TO[features]} 22:00"))
    past = between(sample(), paris("1999-01-01 00:00"), run.moment.decided_at)
    terms = terms_of(run.settings, UNIVERSE)
    view = view_of(known_of(past, run.moment.decided_at), terms, run.moment)
    return fit_model(view.features, FitSpec(terms.features.drivers, starts=2)).model


@dataclass(frozen=True)
class Answer:
    """All that leaves a day, as text, and the view it came from."""

    signal: str
    plan: str
    view: View


def answer_at(known: KnownData, instant: datetime, features: tuple[str, ...], model: RegimeModel) -> Answer:
    """Decide and plan for an account that holds two lines, under a target that is a week old."""
    run = run_at(settings_in(Path("nowhere"), PORTFOLIO_FEATURES=features), instant)
    terms = terms_of(run.settings, UNIVERSE)
    positions = Positions(Decimal(3000), {"PUST.PA": 60, "CL2.PA": 40})
    prices = known.last_closes(UNIVERSE.tickers)
    account = Account(positions, prices, value_positions(positions, prices), entries=3)
    since = run.moment.session - timedelta(days=7)
    standing = Standing(PreviousTarget(since, {"PUST.PA": 0.3, "CL2.PA": 0.2, CASH: 0.5}, 5), account.valuation.weights)
    view = view_of(known, terms, run.moment)
    outcome = decide_session(view, terms, run.moment, standing, model, "")
    answer = answer_of(outcome, run.moment, standing, model)
    orders = plan_session(run, answer, account)
    findings = repr(orders.plan.findings) if orders.plan else ""
    plan = as_logged(orders.document(answer["session"])) + findings
    assert outcome.history is not None
    return Answer(as_logged(answer) + outcome.history.to_csv(), plan, view)


instants = st.builds(
    lambda day, clock: datetime.combine(day, clock, PARIS),
    st.dates(date(2004, 2, 2), date(2018, 12, 28)),
    st.one_of(st.sampled_from([time(7, 30), time(6), time(8, 59), time(5, 59), time(18)]), st.times()),
)
asked = st.one_of(
    st.tuples(st.sampled_from([PLAIN, SLOPE]), instants),
    st.tuples(st.just(MACRO), instants.filter(lambda instant: instant.year > 2015)),
)


def with_telling_instants(test):
    for place, telling in enumerate(TELLING):
        test = example(telling, place)(test)
    return test


@with_telling_instants
@settings(max_examples=25, deadline=None)
@given(asked, st.integers(0, 10**6))
def test_answer_is_the_same_to_the_byte_when_all_that_is_not_yet_available_is_noise(asked, seed):
    features, instant = asked
    model = early_model(features)
    real = around(instant)
    noisy = disturbed(real, instant, seed)
    assert not noisy.prices.equals(real.prices)
    expected = answer_at(known_of(real, instant), instant, features, model)
    found = answer_at(known_of(noisy, instant), instant, features, model)
    assert found.signal == expected.signal
    assert found.plan == expected.plan


def test_instants_of_the_property_decide_targets_on_mornings_and_hold_before_closes_are_known():
    seen = {}
    for features, instant in TELLING:
        answer = answer_at(known_of(around(instant), instant), instant, features, early_model(features))
        seen[instant] = "TARGET" if '"decision":"TARGET"' in answer.signal else "HOLD"
    assert seen[paris("2004-07-06 05:59")] == "HOLD"
    assert seen[paris("2004-07-06 06:00")] == "TARGET"
    assert seen[paris("2017-03-10 08:59")] == "TARGET"
    assert seen[paris("2017-03-10 17:36")] == "HOLD"
    assert list(seen.values()).count("TARGET") >= 10
    assert list(seen.values()).count("HOLD") >= 3


@pytest.mark.parametrize("instant", ["2003-03-12 07:30", "2009-08-11 12:00"])
def test_model_fitted_at_an_instant_is_the_same_to_the_byte_when_the_future_is_noise(instant):
    moment = run_at(settings_in(Path("nowhere")), paris(instant)).moment
    terms = terms_of(settings_in(Path("nowhere")), UNIVERSE)
    real = between(sample(), paris("1999-01-01 00:00"), paris(instant) + timedelta(days=90))
    fits = [
        fit_model(
            view_of(known_of(batch, moment.decided_at), terms, moment).features,
            FitSpec(terms.features.drivers, starts=2),
        )
        for batch in (real, disturbed(real, moment.decided_at, 7))
    ]
    assert model_bytes(fits[0].model) == model_bytes(fits[1].model)
    assert fits[0].gates == fits[1].gates


def decided_through_the_store(folder: Path, instant: datetime, *batches: Batch) -> tuple[str, str, dict[str, bytes]]:
    """Store the batches in turn, decide as of the instant, and return answer, plan and the model's files."""
    run = run_at(settings_in(folder, PORTFOLIO_FEATURES=PLAIN), instant)
    with writing(run) as (store, _):
        for batch in batches:
            store_batch(store, run, batch)
        signal = decide_and_log(store, run)
        plan = plan_session(run, signal.answer, signal.account).document(signal.answer["session"])
    models = {path.parent.name: path.read_bytes() for path in run.models_dir.glob("*/model.json")}
    return as_logged(signal.answer), as_logged(plan), models


@pytest.mark.parametrize(
    ("instant", "decided_by"),
    [
        ("2002-10-09 07:30", "a model fitted then"),
        ("2011-08-09 07:30", "the fallback"),  # what a fit on two years finds does not pass its gates
        ("2015-08-25 08:30", "a model fitted then"),
        ("2016-12-28 20:00", "nothing"),  # the day's closes lack
    ],
)
def test_answer_from_the_store_is_the_same_whatever_came_after_the_instant(tmp_path, instant, decided_by):
    at = paris(instant)
    moment = run_at(settings_in(tmp_path), at).moment
    later = moment.decided_at + timedelta(days=30)
    since = sessions_between("XPAR", moment.as_of - timedelta(days=700), moment.as_of)[0]
    fetched_then = fetch_sample(UNIVERSE, moment.decided_at, since)
    fetched_later = fetch_sample(UNIVERSE, later, since)
    expected = decided_through_the_store(tmp_path / "then", at, fetched_then)
    assert bool(expected[2]) is (decided_by == "a model fitted then")
    assert ('"decision":"HOLD"' in expected[0]) is (decided_by == "nothing")
    histories = {
        "went on in noise": (fetched_then, disturbed(fetched_later, moment.decided_at, 1)),
        "was corrected": (fetched_then, corrected(disturbed(fetched_later, moment.decided_at, 2), 3)),
        "came at once": (fetched_later,),
        "came at once, then noise": (disturbed(fetched_later, moment.decided_at, 4),),
    }
    for name, batches in histories.items():
        assert decided_through_the_store(tmp_path / name, at, *batches) == expected, name
