"""From closes and macro values to the feature table, causally."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.features.spec import MACRO_FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from portfolio.features.spec import FeatureSpec

VOL_WINDOW_SESSIONS = 21  # about a month of sessions
SESSIONS_PER_YEAR = 252  # the usual convention; only the level of the logarithm depends on it
MACRO_CARRY_SESSIONS = 3  # an optional series may be three sessions late before it stops counting
# A month in which the drivers' mean return varies by less than this is a carried-forward price, not a calm market:
# 1e-9 is the rounding left of a constant price, a real month has 1e-3 and more.
SMALLEST_DAILY_VOL = 1e-9


def build_features(closes: pd.DataFrame, macro: pd.DataFrame, spec: FeatureSpec) -> pd.DataFrame:
    """Build the feature table of a model.

    Parameters
    ----------
    closes
        Adjusted closes, one column per driver (others are ignored); index `observed_on`, increasing, unique.
        NaN means that the driver had no close that day. Any currency: only ratios count.
    macro
        Values of the macro series, one column each, in percent or points as published; index `observed_on`,
        increasing, unique. The caller has placed each value on the day from which it is *known* at decision time,
        not the day it describes. May be empty, and a series may be absent, when no feature needs it.
    spec
        The features wanted, and the drivers.

    Returns
    -------
    DataFrame
        float64, columns `spec.names` in that order, index a subset of `closes.index`, no NaN and no infinity.

        - `return_log_1d`: mean over the drivers of ln(close / close one row before), per session, not in percent.
        - `log_vol_21d`: ln of the annual volatility, i.e. the sample standard deviation (ddof = 1) of the last 21
          values of `return_log_1d` times sqrt(252).
        - `vix` (points), `slope` (DGS10 - DGS2, percent points), `baa10y` (percent points): levels.

    Raises
    ------
    ValueError
        A driver's column is missing, an index is not increasing and unique, a close is not positive and finite:
        the caller's checks let something through.

    Notes
    -----
    Look-ahead: row t is a function of rows up to t, to the byte. Volatility is computed afresh from the 21 returns
    of each window (two passes, in a fixed order), not by an online update as `rolling().std()` does: an outlier leaves
    no rounding residue behind it and a longer history changes no digit.

    Missing values: rows are the days on which *all* drivers have a close; a return is taken between consecutive such
    rows, so that after a day with a missing driver the next return spans the gap. A macro value is carried over at
    most three rows after the first row that could use it. A row in which any wanted feature has no value is left out;
    so is one whose 21 returns are all equal (constant prices), which has no finite logarithm of volatility. The
    caller has to look whether the last row is the day it decides for.
    """
    _ensure_index(closes, "closes")
    _ensure_index(macro, "macro")
    common = _common_closes(closes, spec.drivers)
    columns: dict[str, NDArray[np.float64]] = {}
    columns["return_log_1d"] = driver_return(np.asarray(common, dtype=np.float64))
    columns["log_vol_21d"] = log_volatility(columns["return_log_1d"])
    for name in spec.names:
        if name in MACRO_FEATURES:
            columns[name] = _macro_feature(macro, MACRO_FEATURES[name], common.index)
    table = pd.DataFrame({name: columns[name] for name in spec.names}, index=common.index, dtype=np.float64)
    complete = np.isfinite(table.to_numpy()).all(axis=1)
    return table.take(np.flatnonzero(complete))


def driver_return(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean daily log return of the drivers.

    Parameters
    ----------
    closes : (n_rows, n_drivers), positive.

    Returns
    -------
    (n_rows,) array
        ln(close_t / close_(t-1)), averaged with equal weights; NaN in the first row. Row t uses rows t-1 and t.
    """
    returns = np.full(closes.shape[0], np.nan)
    logs = [np.log(np.ascontiguousarray(column)) for column in closes.T]
    # Added driver by driver: a reduction over an axis may change its order, and its last digit, with the shape.
    returns[1:] = sum(column[1:] - column[:-1] for column in logs) / len(logs)
    return returns


def log_volatility(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the annual volatility over 21 sessions.

    Parameters
    ----------
    returns : (n_rows,) daily log returns; NaN only in the first row.

    Returns
    -------
    (n_rows,) array
        ln(sqrt(252) * s), s the sample standard deviation (ddof = 1) of the 21 returns ending at the row; NaN where
        there are fewer, or where they are constant. Row t uses the returns of rows t-20 .. t.
    """
    logs = np.full(returns.size, np.nan)
    windows = returns.size - VOL_WINDOW_SESSIONS + 1
    if windows < 1:
        return logs
    lagged = [returns[lag : lag + windows] for lag in range(VOL_WINDOW_SESSIONS)]
    mean = sum(lagged) / VOL_WINDOW_SESSIONS
    squares = sum((values - mean) ** 2 for values in lagged)
    daily = np.sqrt(squares / (VOL_WINDOW_SESSIONS - 1))
    varied = daily > SMALLEST_DAILY_VOL  # False for NaN too
    annual = daily[varied] * math.sqrt(SESSIONS_PER_YEAR)
    logs[VOL_WINDOW_SESSIONS - 1 :][varied] = np.log(annual)
    return logs


def _common_closes(closes: pd.DataFrame, drivers: tuple[str, ...]) -> pd.DataFrame:
    missing = [driver for driver in drivers if driver not in closes.columns]
    if missing:
        message = f"The closes have no column {missing[0]!r}, only {list(closes.columns)}: give all drivers' closes."
        raise ValueError(message)
    common = closes.loc[:, list(drivers)].dropna()
    values = np.asarray(common, dtype=np.float64)
    doubtful = ~((values > 0) & np.isfinite(values)).all(axis=1)
    if doubtful.any():
        row = int(doubtful.argmax())
        message = f"Closes must be positive and finite; seen {values[row]} on {common.index[row]}: check prices first."
        raise ValueError(message)
    return common


def _macro_feature(macro: pd.DataFrame, series: tuple[str, ...], days: pd.Index) -> NDArray[np.float64]:
    """Last known value on each day, no older than three rows; NaN where there is none."""
    none = np.full(len(days), np.nan)
    if any(name not in macro.columns for name in series):
        return none
    both = macro.loc[:, list(series)].dropna()
    if both.empty or not len(days):
        return none
    levels = both[series[0]] if len(series) == 1 else both[series[0]] - both[series[1]]
    newest = both.index.searchsorted(days, side="right") - 1
    first_use = np.asarray(days.searchsorted(both.index, side="left"), dtype=np.int64)
    age = np.arange(len(days), dtype=np.int64) - first_use[newest]
    usable = (newest >= 0) & (age <= MACRO_CARRY_SESSIONS)
    return np.where(usable, np.asarray(levels, dtype=np.float64)[newest], np.nan)


def _ensure_index(frame: pd.DataFrame, name: str) -> None:
    if not (frame.index.is_monotonic_increasing and frame.index.is_unique):
        message = f"The index of {name} must be increasing and unique: sort it and drop repeated days before."
        raise ValueError(message)
