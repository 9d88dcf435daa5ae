"""Noise in place of what was not yet known at an instant: other values, rows gone, rows twice, broken rows."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from portfolio.sessions import macro_known_at, price_known_at
from portfolio.sources.batch import MACRO_DTYPES, PRICE_DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from portfolio.sources.batch import Batch

    Row = dict[str, Any]

BROKEN = (math.nan, -1.0, math.inf, 0.0, 100.0)


def disturbed(batch: Batch, after: datetime, seed: int) -> Batch:
    """Replace every row available after the instant by noise, and leave the others as they are."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    wild = chance.choice([0.01, 0.5])
    return replace(
        batch,
        prices=_later_rows_replaced(
            batch.prices, after, lambda row: _as_one_of_prices(row, chance, wild), PRICE_DTYPES
        ),
        macro=_later_rows_replaced(batch.macro, after, lambda row: _as_one_of_macro(row, chance), MACRO_DTYPES),
    )


def corrected(batch: Batch, seed: int) -> Batch:
    """Change one value in ten all over the past: what a later fetch says of days known otherwise before."""
    chance = random.Random(seed)  # noqa: S311  # as above
    factors = [chance.choice([0.5, 0.99, 1.02, 100.0]) if chance.random() < 0.1 else 1.0 for _ in batch.prices.index]
    prices = batch.prices.assign(**{name: batch.prices[name] * factors for name in ("open", "high", "low", "close")})
    shifts = [float(chance.random() < 0.1) for _ in batch.macro.index]
    return replace(batch, prices=prices, macro=batch.macro.assign(value=batch.macro["value"].add(shifts)))


def _later_rows_replaced(
    rows: pd.DataFrame, after: datetime, noise: Callable[[Row], list[Row]], dtypes: Mapping[str, str]
) -> pd.DataFrame:
    known = rows["available_at"] <= pd.Timestamp(after)
    made: list[Row] = [
        some
        for row in rows[~known].to_dict("records")
        for some in noise({str(name): value for name, value in row.items()})
    ]
    return pd.concat([rows[known], pd.DataFrame(made, columns=list(dtypes)).astype(dict(dtypes))], ignore_index=True)


def _as_one_of_prices(row: Row, chance: random.Random, wild: float) -> list[Row]:
    factor = chance.choice(BROKEN) if chance.random() < 0.05 else math.exp(chance.gauss(0, wild))
    quotes = {name: row[name] * factor for name in ("open", "high", "low", "close")}
    currency = "GBP" if chance.random() < 0.02 else row["currency"]
    return _fate({**row, **quotes, "currency": currency}, row, chance, price_known_at)


def _as_one_of_macro(row: Row, chance: random.Random) -> list[Row]:
    value = math.nan if chance.random() < 0.05 else row["value"] + chance.gauss(0, 5)
    return _fate({**row, "value": value}, row, chance, macro_known_at)


def _fate(noise: Row, real: Row, chance: random.Random, known_at: Callable[..., pd.DatetimeIndex]) -> list[Row]:
    """Keep the noise, or lose it, or have the real row beside it, or move it to a day that may be none."""
    fate = chance.random()
    if fate < 0.2:
        return []
    if fate < 0.25:
        return [noise, real]
    if fate < 0.30:
        day = noise["observed_on"] + timedelta(days=1)
        return [{**noise, "observed_on": day, "available_at": known_at([day])[0]}]
    return [noise]
