"""The packaged sample as a source: real index and yield series, and lines reconstructed from them. No network.

Every price row has one close and nothing else: open, high and low repeat it, volume is NaN. Its clock stands on the
morning after its own last common session. Reconstructed lines are EUR lines with no currency effect in them.
"""

from __future__ import annotations

import hashlib
import io
from datetime import date, datetime, time, timedelta
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from portfolio.errors import SourceError
from portfolio.findings import Finding, Severity
from portfolio.sessions import HOME_EXCHANGE, PARIS, Moment, macro_known_at, price_known_at, sessions_between
from portfolio.sources.batch import (
    ACTION_DTYPES,
    DAY,
    MACRO_COLUMNS,
    MACRO_DTYPES,
    OBSERVED,
    PRICE_COLUMNS,
    PRICE_DTYPES,
    RECONSTRUCTED,
    STAND_IN,
    Batch,
    empty_frame,
)
from portfolio.sources.reconstruct import LineSpec, reconstruct_line, sample_on_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.universe import Universe

SOURCE = "sample"
PANEL_FILE = "panel_us_1999_2022.csv.gz"
PANEL_SHA256 = "5a8a5a63cf132d1e941d90486fa00bf55120e40f6ffad904b9275849bd5f46d3"
MORNING = time(7, 30)  # when the daily run is meant to start, in Paris

INDEX_COLUMNS = {"^GSPC": ("SP500", OBSERVED), "^NDX": ("NASDAQCOM", STAND_IN)}
MACRO_SERIES = {"VIXCLS": "VIX", "DGS10": "DGS10", "DGS2": "DGS2"}
FINANCING_COLUMN = "DGS3MO"

# Yearly fees: rounded from what the funds charge, an assumption of the sample. Start levels (EUR, 1999-01-04): chosen
# so that the sample's last prices have the size of the lines' real ones and some thousand euros buy whole shares.
LINES: dict[str, tuple[str, LineSpec]] = {
    "WPEA.PA": ("SP500", LineSpec(leverage=1, fee_annual=0.0020, start_level=2.5)),
    "PE500.PA": ("SP500", LineSpec(leverage=1, fee_annual=0.0015, start_level=10.0)),
    "PUST.PA": ("NASDAQCOM", LineSpec(leverage=1, fee_annual=0.0030, start_level=10.0)),
    "LQQ.PA": ("NASDAQCOM", LineSpec(leverage=2, fee_annual=0.0060, start_level=10.0)),
    "CL2.PA": ("SP500", LineSpec(leverage=2, fee_annual=0.0050, start_level=10.0)),
}

_ONE_X = "less a yearly fee; price index without dividends, no currency effect"
_TWO_X = "less 3-month-bill financing and a yearly fee; price index without dividends, no currency effect"
SAMPLE_LABELS: dict[str, str] = {
    "^GSPC": "S&P 500, real closes",
    "^NDX": "stand-in: real closes of the Nasdaq Composite, not the Nasdaq-100",
    "WPEA.PA": f"reconstructed from the S&P 500 (which stands in for MSCI World) {_ONE_X}",
    "PE500.PA": f"reconstructed from the S&P 500 {_ONE_X}",
    "PUST.PA": f"reconstructed from the Nasdaq Composite (which stands in for the Nasdaq-100) {_ONE_X}",
    "LQQ.PA": f"reconstructed: twice the Nasdaq Composite's daily return (for the Nasdaq-100) {_TWO_X}",
    "CL2.PA": f"reconstructed: twice the S&P 500's daily return (for MSCI USA) {_TWO_X}",
    "VIXCLS": "CBOE volatility index, real closes, from 2014",
    "DGS10": "US Treasury 10-year yield, real values",
    "DGS2": "US Treasury 2-year yield, real values",
}


def read_panel(path: Path | None = None) -> pd.DataFrame:
    """Read the sample's panel: index = New York days, one float column for each series, NaN where it has no value.

    Raises SourceError when the file is missing or is not the one that was packaged.
    """
    file = path or resources.files("portfolio.sources.sample_data").joinpath(PANEL_FILE)
    remedy = "install the package again (make setup), or use --source live."
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"The packaged sample {PANEL_FILE} cannot be read ({error.strerror}): {remedy}"
        raise SourceError(message) from error
    seen = hashlib.sha256(content).hexdigest()
    if seen != PANEL_SHA256:
        message = f"The packaged sample {PANEL_FILE} is damaged: SHA-256 {seen[:12]}, not {PANEL_SHA256[:12]}: {remedy}"
        raise SourceError(message)
    return pd.read_csv(io.BytesIO(content), compression="gzip", index_col=0, parse_dates=True)


def last_common_day(panel: pd.DataFrame) -> date:
    """Return the last day on which both indexes have a close: where the sample ends."""
    columns = [column for column, _ in INDEX_COLUMNS.values()]
    return panel[columns].dropna().index[-1].date()


def sample_clock() -> datetime:
    """Return the instant (UTC) the sample's clock stands at: the morning of the session after its last common one."""
    last = last_common_day(read_panel())
    following = sessions_between(HOME_EXCHANGE, last + timedelta(days=1), last + timedelta(days=14))[0]
    return pd.Timestamp(datetime.combine(following, MORNING, PARIS)).tz_convert("UTC").to_pydatetime()


def fetch_sample(universe: Universe, at: Moment | datetime, since: date | None = None) -> Batch:
    """Deliver the sample's rows known at an instant, observed on `since` or later.

    The batch counts as fetched at that instant. Raises SourceError when it lies before the sample's first row,
    has no time zone, or the packaged data is damaged.
    """
    instant = _aware(at.decided_at if isinstance(at, Moment) else at)
    panel = read_panel()
    panel = panel[: pd.Timestamp(last_common_day(panel))]
    prices, absent_lines = _price_rows(universe, panel)
    macro, absent_series = _macro_rows(universe, panel)
    known = prices[prices["available_at"] <= instant]
    if known.empty:
        raise SourceError(_out_of_range(instant, prices))
    return Batch(
        source=SOURCE,
        fetched_at=instant,
        prices=_from_day(known, since),
        actions=empty_frame(ACTION_DTYPES),
        macro=_from_day(macro[macro["available_at"] <= instant], since),
        findings=(*absent_lines, *absent_series),
    )


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        message = f"The instant {instant.isoformat()} has no time zone: give one, 2019-01-02T07:30+01:00 say."
        raise SourceError(message)
    return pd.Timestamp(instant).tz_convert("UTC").to_pydatetime()


def _out_of_range(instant: datetime, prices: pd.DataFrame) -> str:
    if prices.empty:
        return "The sample has no series for any symbol of this universe: use the packaged universe or --source live."
    first, last = prices["observed_on"].min().date(), prices["observed_on"].max().date()
    return (
        f"The sample has rows from {first} to {last}, the first known on {prices['available_at'].min():%Y-%m-%d %H:%M} "
        f"UTC; nothing was known at {instant.isoformat()}: choose a later --as-of."
    )


def _from_day(frame: pd.DataFrame, since: date | None) -> pd.DataFrame:
    wanted = frame if since is None else frame[frame["observed_on"] >= pd.Timestamp(since)]
    return wanted.reset_index(drop=True)


def _price_rows(universe: Universe, panel: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    frames, absent = [], []
    for symbol, exchange in universe.exchanges.items():
        closes, basis = _closes_of(symbol, exchange, panel)
        if closes is None:
            absent.append(_no_series(symbol, Severity.WARNING, "its share of the weights goes to CASH"))
        else:
            frames.append(_price_frame(symbol, closes, universe.currencies[symbol], basis))
    return (pd.concat(frames, ignore_index=True) if frames else empty_frame(PRICE_DTYPES)), absent


def _closes_of(symbol: str, exchange: str, panel: pd.DataFrame) -> tuple[pd.Series | None, str]:
    if symbol in INDEX_COLUMNS:
        column, basis = INDEX_COLUMNS[symbol]
        return panel[column].dropna(), basis
    if symbol not in LINES:
        return None, ""
    column, spec = LINES[symbol]
    line = reconstruct_line(panel[column].dropna(), panel[FINANCING_COLUMN], spec)
    sessions = pd.DatetimeIndex(sessions_between(exchange, panel.index[0].date(), panel.index[-1].date()))
    return sample_on_sessions(line, sessions), RECONSTRUCTED


def _price_frame(symbol: str, closes: pd.Series, currency: str, basis: str) -> pd.DataFrame:
    close = closes.to_numpy()
    columns = {"symbol": symbol, "observed_on": closes.index, "currency": currency, "basis": basis, "volume": np.nan}
    columns |= dict.fromkeys(("open", "high", "low", "close"), close)
    frame = pd.DataFrame(columns | {"available_at": price_known_at(closes.index)})
    return frame[list(PRICE_COLUMNS)].astype(PRICE_DTYPES)


def _macro_rows(universe: Universe, panel: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    frames, absent = [empty_frame(MACRO_DTYPES)], []
    for item in universe.macro:
        if item.series not in MACRO_SERIES:
            absent.append(_no_series(item.series, Severity.INFO, "features that need it are left out"))
            continue
        values = panel[MACRO_SERIES[item.series]].dropna()
        columns = {"series": item.series, "observed_on": values.index.astype(DAY), "value": values.to_numpy()}
        frames.append(pd.DataFrame(columns | {"available_at": macro_known_at(values.index)}).astype(MACRO_DTYPES))
    return pd.concat(frames, ignore_index=True)[list(MACRO_COLUMNS)], absent


def _no_series(subject: str, severity: Severity, consequence: str) -> Finding:
    message = f"The sample has no series that stands for {subject}: {consequence}. Use --source live for real prices."
    return Finding(severity, "no-sample-series", subject, message)
