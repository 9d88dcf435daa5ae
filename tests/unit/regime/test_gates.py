"""Each gate on data made to fail it, and at its boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from portfolio.regime.em import StartResult
from portfolio.regime.gates import GateResult, Search, check_gates, occupancy, relabelled_share
from portfolio.regime.spec import GateSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from portfolio.regime.model import RegimeModel

    Models = Callable[..., RegimeModel]
    Tables = Callable[[object], pd.DataFrame]

CALM, STRESSED = [0.0, -1.0], [0.0, 1.0]  # where the plain model's states lie, six deviations apart
GOOD = StartResult("quantile", -100.0, 20, converged=True)
ALONE = StartResult("random", -101.5, 20, converged=True)
AGREEING = StartResult("random", -101.0, 20, converged=True)
FAILED = StartResult("random", None, 3, converged=False, failure="a state collapsed")
SEARCH = Search(GOOD, (GOOD, AGREEING, ALONE))


def rows_of(calm: int, stressed: int) -> list[list[float]]:
    return [CALM] * calm + [STRESSED] * stressed


def gate(
    name: str,
    model: RegimeModel,
    features: pd.DataFrame,
    search: Search = SEARCH,
    champion: RegimeModel | None = None,
) -> GateResult:
    return next(result for result in check_gates(model, features, search, GateSpec(), champion) if result.name == name)


def test_all_gates_pass_when_nothing_is_wrong(make_model: Models, table: Tables):
    gates = check_gates(make_model(), table(rows_of(500, 500)), SEARCH, GateSpec())

    assert [result.name for result in gates] == [
        "converged",
        "occupancy",
        "stressed-occupancy",
        "expected-duration",
        "volatility-ratio",
        "agreeing-starts",
        "relabelled",
    ]
    assert all(result.passed for result in gates)
    assert all(result.rule for result in gates)


def test_converged_fails_when_the_best_start_ran_out(make_model: Models, table: Tables):
    best = StartResult("quantile", -100.0, 1000, converged=False)

    result = gate("converged", make_model(), table(rows_of(500, 500)), Search(best, (best, AGREEING)))

    assert (result.value, result.passed) == (0.0, False)


@pytest.mark.parametrize(("stressed", "passed"), [(50, True), (49, False), (951, False), (950, True)])
def test_occupancy_asks_for_five_percent_of_each_state(
    make_model: Models,
    table: Tables,
    stressed: int,
    passed: bool,  # noqa: FBT001  # a table's column
):
    result = gate("occupancy", make_model(), table(rows_of(1000 - stressed, stressed)))

    assert result.value == pytest.approx(min(stressed, 1000 - stressed) / 1000)
    assert result.passed is passed


@pytest.mark.parametrize(("stressed", "passed"), [(600, True), (601, False)])
def test_stressed_state_may_hold_sixty_percent(
    make_model: Models,
    table: Tables,
    stressed: int,
    passed: bool,  # noqa: FBT001  # a table's column
):
    result = gate("stressed-occupancy", make_model(), table(rows_of(1000 - stressed, stressed)))

    assert (result.value, result.passed) == (pytest.approx(stressed / 1000), passed)


def test_occupancy_counts_the_fit_window_only(make_model: Models, table: Tables):
    model = make_model(fit_rows=100)

    result = gate("occupancy", model, table(rows_of(900, 40) + rows_of(60, 0)))

    assert result.value == pytest.approx(0.4)


def test_occupancy_counts_filtered_states_and_not_smoothed_ones(make_model: Models, table: Tables):
    # Between the states a filter stays where it was; a smoother, knowing what follows, would move some days.
    features = table([CALM] * 3 + [[0.0, 0.0]] * 4 + [STRESSED] * 3)
    model = make_model(covars_=[[[1.0, 0.0], [0.0, 0.1]]] * 2)

    assert occupancy(model, features).tolist() == [0.7, 0.3]


@pytest.mark.parametrize(("leaves", "passed"), [(0.1, True), (0.1001, False)])
def test_expected_duration_asks_for_ten_sessions(
    make_model: Models,
    table: Tables,
    leaves: float,
    passed: bool,  # noqa: FBT001  # a table's column
):
    model = make_model(transmat_=[[0.95, 0.05], [leaves, 1 - leaves]])

    result = gate("expected-duration", model, table(rows_of(500, 500)))

    assert (result.value, result.passed) == (pytest.approx(1 / leaves), passed)


def test_expected_duration_is_the_window_when_no_state_is_ever_left(make_model: Models, table: Tables):
    result = gate("expected-duration", make_model(transmat_=[[1.0, 0.0], [0.0, 1.0]]), table(rows_of(500, 500)))

    assert (result.value, result.passed) == (1000.0, True)


@pytest.mark.parametrize(("stressed_vol", "passed"), [(1.5, True), (1.49, False)])
def test_volatility_ratio_asks_for_one_and_a_half(
    make_model: Models,
    table: Tables,
    stressed_vol: float,
    passed: bool,  # noqa: FBT001  # a table's column
):
    model = make_model(covars_=[[[1.0, 0.0], [0.0, 0.1]], [[stressed_vol**2, 0.0], [0.0, 0.1]]])

    result = gate("volatility-ratio", model, table(rows_of(500, 500)))

    assert (result.value, result.passed) == (pytest.approx(stressed_vol), passed)


@pytest.mark.parametrize(
    ("results", "agreeing"),
    [((GOOD, AGREEING), 2), ((GOOD, ALONE), 1), ((GOOD, FAILED, FAILED), 1), ((GOOD,), 1), ((GOOD, GOOD, GOOD), 3)],
)
def test_agreeing_starts_asks_for_two_within_a_nat(
    make_model: Models, table: Tables, results: tuple[StartResult, ...], agreeing: int
):
    result = gate("agreeing-starts", make_model(), table(rows_of(500, 500)), Search(GOOD, results))

    assert (result.value, result.passed) == (agreeing, agreeing >= 2)


def test_agreeing_starts_fails_when_better_ends_ran_out_of_iterations(make_model: Models, table: Tables):
    better = StartResult("random", -50.0, 1000, converged=False)

    result = gate("agreeing-starts", make_model(), table(rows_of(500, 500)), Search(GOOD, (GOOD, better, better)))

    assert (result.value, result.passed) == (0.0, False)


@pytest.mark.parametrize(("moved", "passed"), [(0, True), (49, True), (50, False), (250, False)])
def test_relabelled_asks_for_fewer_than_twenty_percent_of_the_last_250(
    make_model: Models,
    table: Tables,
    moved: int,
    passed: bool,  # noqa: FBT001  # a table's column
):
    # The champion puts its boundary at +3, so that it calls the days at +2 calm, and those at +5 stressed as we do.
    champion = make_model(means_=[[0.0, 1.5], [0.0, 5.0]])
    ends = [[0.0, 5.0]] * (250 - moved) + [[0.0, 2.0]] * moved
    features = table([[0.0, 2.0]] * 600 + ends)  # the 600 before differ too, and don't count

    result = gate("relabelled", make_model(), features, champion=champion)

    assert (result.value, result.passed) == (pytest.approx(moved / 250), passed)


def test_relabelled_is_not_judged_when_the_champion_reads_other_features(make_model: Models, table: Tables):
    champion = make_model(feature_names=("return_log_1d", "vix"))

    result = gate("relabelled", make_model(), table(rows_of(500, 500)), champion=champion)

    assert (result.value, result.passed) == (None, True)
    assert "no champion to compare with" in result.rule


def test_relabelled_share_counts_what_there_is_when_the_history_is_short(make_model: Models, table: Tables):
    model = make_model()

    assert relabelled_share(model, model, table(rows_of(5, 5)), 250) == 0.0
    assert np.isclose(
        relabelled_share(model, make_model(means_=[[0.0, 1.0], [0.0, 3.0]]), table(rows_of(5, 5)), 250), 0.5
    )
