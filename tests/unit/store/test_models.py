from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import StoreError
from portfolio.store.models import (
    ModelRow,
    PromotionRow,
    append_model,
    append_promotion,
    read_champion,
    read_model,
    read_promotions,
)
from tests.support.store_batches import at

if TYPE_CHECKING:
    from portfolio.store.connection import Store

NEW_YEAR = date(2019, 1, 1)


def model(model_id: str, fit_end: str) -> ModelRow:
    window = date(1999, 1, 4), date.fromisoformat(fit_end)
    return ModelRow(model_id, at("2019-01-01 00:00"), "run", *window, passed=True, manifest="{}")


def promotion(model_id: str, promoted: str, role: str = "champion") -> PromotionRow:
    return PromotionRow(model_id, at(promoted), "run", '["first"]', role)


def champion(store: Store, fit_end: str, promoted: str | None = None) -> str | None:
    found = read_champion(store, date.fromisoformat(fit_end), at(promoted) if promoted else None)
    return found.model_id if found else None


def test_model_is_recorded_once(store: Store) -> None:
    row = model("m1", "2018-11-30")
    assert append_model(store, row)
    assert not append_model(store, replace(row, run_id="another run"))
    assert read_model(store, "m1") == row
    assert read_model(store, "m2") is None


def test_champion_is_the_newest_promoted_model_whose_data_had_ended_by_then(store: Store) -> None:
    for model_id, fit_end in (("m1", "2018-10-31"), ("m2", "2018-11-30"), ("m3", "2018-12-31")):
        append_model(store, model(model_id, fit_end))
    for model_id, promoted in (("m1", "2018-11-01 06:00"), ("m2", "2018-12-01 06:00"), ("m3", "2019-01-01 06:00")):
        append_promotion(store, promotion(model_id, promoted))
    assert champion(store, "2019-01-01") == "m3"
    assert champion(store, "2018-12-30") == "m2"
    assert champion(store, "2018-10-30") is None
    assert champion(store, "2019-01-01", "2018-12-31 00:00") == "m2"
    assert champion(store, "2019-01-01", "2018-12-01 06:00") == "m2"
    assert champion(store, "2019-01-01", "2018-10-31 00:00") is None


def test_champion_is_the_last_promoted_when_an_older_model_comes_back(store: Store) -> None:
    for model_id, fit_end in (("m1", "2018-10-31"), ("m2", "2018-11-30")):
        append_model(store, model(model_id, fit_end))
    for number, model_id in enumerate(("m1", "m2", "m1"), start=1):
        assert append_promotion(store, promotion(model_id, f"2019-01-0{number} 06:00")).seq == number
    assert champion(store, "2019-02-01") == "m1"
    assert champion(store, "2019-02-01", "2019-01-02 12:00") == "m2"


def test_champion_is_not_a_model_with_another_role(store: Store) -> None:
    append_model(store, model("m1", "2018-10-31"))
    append_promotion(store, promotion("m1", "2018-11-01 06:00", "previous"))
    assert read_champion(store, NEW_YEAR) is None


def test_promotion_adds_no_row_when_the_model_has_the_role_already(store: Store) -> None:
    append_model(store, model("m1", "2018-10-31"))
    first = append_promotion(store, promotion("m1", "2018-11-01 06:00"))
    assert append_promotion(store, promotion("m1", "2018-12-01 06:00")) == first
    assert read_promotions(store) == [first]


def test_promotion_is_refused_when_the_model_was_never_recorded(store: Store) -> None:
    with pytest.raises(StoreError, match="m9 cannot be promoted to champion: only a recorded model"):
        append_promotion(store, promotion("m9", "2018-11-01 06:00"))
    assert read_promotions(store) == []
