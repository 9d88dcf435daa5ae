"""FRED's observations as rows of a batch. Pure."""

from __future__ import annotations

import pandas as pd

from portfolio.sessions import macro_known_at, price_known_at
from portfolio.sources.batch import INSTANT, MACRO_COLUMNS, MACRO_DTYPES


def macro_rows(series: str, observed: pd.DataFrame) -> pd.DataFrame:
    """Return MACRO_COLUMNS of `observed_on`, `value`, `released_on` (NaT: when daily values are printed).

    A value released later than daily ones would be is known from 06:00 in Paris on the day after its release.
    """
    days = pd.DatetimeIndex(observed["observed_on"])
    nominal = pd.Series(macro_known_at(days), index=observed.index, dtype=INSTANT)
    released = pd.to_datetime(observed["released_on"])
    printed = pd.Series(pd.NaT, index=observed.index, dtype=INSTANT)
    dated = released.notna()
    printed[dated] = price_known_at(released[dated])
    known = nominal.where(printed.isna() | (printed <= nominal), printed)
    rows = observed.assign(series=series, available_at=known)
    return rows[list(MACRO_COLUMNS)].astype(MACRO_DTYPES)
