"""What one fetch brings: three frames of fixed columns, the instant of the fetch, and what was seen while fetching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from portfolio.findings import Finding

DAY = "datetime64[us]"  # naive midnight
INSTANT = "datetime64[us, UTC]"

PRICE_DTYPES: dict[str, str] = {
    "symbol": "str",
    "observed_on": DAY,
    "open": "float64",
    "high": "float64",
    "low": "float64",
    "close": "float64",
    "volume": "float64",
    "currency": "str",
    "basis": "str",
    "available_at": INSTANT,
}
ACTION_DTYPES: dict[str, str] = {
    "symbol": "str",
    "observed_on": DAY,
    "kind": "str",
    "value": "float64",
    "available_at": INSTANT,
}
MACRO_DTYPES: dict[str, str] = {"series": "str", "observed_on": DAY, "value": "float64", "available_at": INSTANT}

QUARANTINE_DTYPES: dict[str, str] = {
    "kind": "str",  # "price", "action" or "macro"
    "symbol": "str",
    "observed_on": DAY,  # NaT when the row had none
    "rule": "str",
    "severity": "str",
    "message": "str",
    "payload": "str",  # JSON text of the row as it came
    "available_at": INSTANT,
}

PRICE_COLUMNS = tuple(PRICE_DTYPES)
ACTION_COLUMNS = tuple(ACTION_DTYPES)
MACRO_COLUMNS = tuple(MACRO_DTYPES)
QUARANTINE_COLUMNS = tuple(QUARANTINE_DTYPES)

OBSERVED = "observed"  # a real quotation of the symbol itself
STAND_IN = "stand-in"  # real values of another index
RECONSTRUCTED = "reconstructed"  # calculated, never quoted
BASES = (OBSERVED, STAND_IN, RECONSTRUCTED)

DIVIDEND = "dividend"  # value: currency units a share
SPLIT = "split"  # value: new shares for one old, 2.0 for 2:1
ACTION_KINDS = (DIVIDEND, SPLIT)


@dataclass(frozen=True, slots=True)
class Batch:
    """One fetch: `fetched_at` is the aware UTC instant it was made at; `findings` were seen while fetching.

    `prices`: PRICE_COLUMNS, unadjusted, in the row's currency; `actions`: ACTION_COLUMNS; `macro`: MACRO_COLUMNS.
    `available_at` is the nominal instant from which a row could be known; `requests` counts what a service was asked.
    """

    source: str
    fetched_at: datetime
    prices: pd.DataFrame
    actions: pd.DataFrame
    macro: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    requests: int = 0


def empty_frame(dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Make a frame without rows that has these columns and types."""
    return pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in dtypes.items()})


def ensure_columns(frame: pd.DataFrame, dtypes: Mapping[str, str], what: str) -> None:
    """Raise SourceError when a frame lacks a column that its kind must have."""
    lacking = [column for column in dtypes if column not in frame.columns]
    if lacking:
        message = (
            f"The {what} frame lacks {', '.join(lacking)}; it must have {', '.join(dtypes)}: "
            "mend the source that made the batch."
        )
        raise SourceError(message)
