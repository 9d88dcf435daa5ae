"""Faults of a macro series: values that are missing, late, in another unit, or rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from tests.support.outside.faults import Fault


SeriesFault: TypeAlias = "Callable[[pd.DataFrame, Fault], pd.DataFrame]"


def _dots(series: pd.DataFrame, fault: Fault) -> pd.DataFrame:
    """The last values are ".", as FRED writes a day without one."""
    values = series["value"].copy()
    values.iloc[-(fault.rows or 3) :] = np.nan
    return series.assign(value=values)


def _late(series: pd.DataFrame, fault: Fault) -> pd.DataFrame:
    """The last days are not printed yet."""
    return series.iloc[: -(fault.rows or 5)]


def _hundredfold(series: pd.DataFrame, fault: Fault) -> pd.DataFrame:
    """The last value in basis points instead of percent."""
    return _last_multiplied(series, fault.rows or 1, fault.factor or 100.0)


def _restated(series: pd.DataFrame, fault: Fault) -> pd.DataFrame:
    """Earlier values revised, and told as if they had always been so."""
    values = series["value"].copy()
    values.iloc[-8:-4] = values.iloc[-8:-4] * (fault.factor or 1.1)
    return series.assign(value=values.round(2))


def _last_multiplied(series: pd.DataFrame, rows: int, factor: float) -> pd.DataFrame:
    values = series["value"].copy()
    values.iloc[-rows:] = values.iloc[-rows:] * factor
    return series.assign(value=values)


SERIES_FAULTS: dict[str, SeriesFault] = {
    "dots": _dots,
    "macro-late": _late,
    "macro-hundredfold": _hundredfold,
    "macro-restated": _restated,
}
