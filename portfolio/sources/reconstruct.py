"""What a fund following an index would have been worth: pure arithmetic, and labelled reconstructed wherever it goes.

Comes in: an index's closes and a short-term rate. Goes out: closes of a line that multiplies each day's return,
less financing and fees, sampled on another exchange's sessions.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

MONEY_MARKET_YEAR_DAYS = 360.0  # act/360: how money-market interest is counted in USD and EUR
FEE_YEAR_DAYS = 365.0  # a fund's yearly cost accrues on calendar days


@dataclass(frozen=True, slots=True)
class LineSpec:
    """A line to reconstruct: `fee_annual` as a fraction of its value a year, `start_level` on the index's first day."""

    leverage: int
    fee_annual: float
    start_level: float


def reconstruct_line(index_closes: pd.Series, rate_percent: pd.Series, spec: LineSpec) -> pd.Series:
    """Compound a constant-leverage line over an index's days.

    For index day t, r(t) the index's simple return, d(t) the calendar days since the day before,
    y(t-1) the rate known on the day before, L the leverage, f the yearly fee:

        return(t) = L r(t) - (L - 1) y(t-1) / 100 * d(t) / 360 - f * d(t) / 365

    Parameters
    ----------
    index_closes : Series of float64, shape (n,)
        Positive closes; index: sorted, unique days. No NaN.
    rate_percent : Series of float64, shape (m,)
        Short-term yield in percent a year; index: sorted days. NaN means no value that day: the last earlier
        value is carried, and before the first value the rate counts as zero.
    spec : LineSpec
        Leverage, yearly fee, start level.

    Returns
    -------
    Series of float64, shape (n,)
        Closes in units of `start_level`, same index. Row t uses index closes up to t and rates up to t-1.

    Raises
    ------
    ValueError
        A close is NaN or not positive.

    Notes
    -----
    Source of the daily-reset arithmetic: M. Avellaneda, S. Zhang, "Path-dependence of leveraged ETF returns",
    SIAM J. Financial Math. 1 (2010), equation (2.3): leverage times the return, less the borrowing, less the fee.
    """
    if not bool((index_closes > 0).all()):
        message = "Index closes must be positive numbers: remove missing days before reconstructing."
        raise ValueError(message)
    days = pd.DatetimeIndex(index_closes.index)
    elapsed = pd.Series(days.to_julian_date(), index=days).diff()  # calendar days
    rate = rate_percent.dropna().reindex(days, method="ffill").fillna(0.0).shift(1) / 100.0
    financing = (spec.leverage - 1) * rate * elapsed / MONEY_MARKET_YEAR_DAYS
    fee = spec.fee_annual * elapsed / FEE_YEAR_DAYS
    growth = 1.0 + spec.leverage * (index_closes / index_closes.shift(1) - 1.0) - financing - fee
    return spec.start_level * growth.fillna(1.0).cumprod()  # only the first day has no growth


def sample_on_sessions(closes: pd.Series, sessions: pd.DatetimeIndex) -> pd.Series:
    """Read, for each session, the close of the last index day on or before it.

    Parameters
    ----------
    closes : Series of float64
        Index: sorted, unique days.
    sessions : DatetimeIndex
        Sorted days of another exchange; those before the first close are left out.

    Returns
    -------
    Series of float64
        Index: the sessions. A session on which the index's exchange was closed repeats the value before it.
        Row t uses closes up to t only.
    """
    return closes.reindex(sessions, method="ffill").dropna()
