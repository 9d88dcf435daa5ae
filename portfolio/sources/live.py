"""The live source: Yahoo's prices, dividends and splits and FRED's macro series, as one batch.

What is had is delivered and what is not becomes a finding: no name's fault costs another's rows. Incremental: each
series is asked for from what is believed of it already, and a little before, so that doubtful rows are confirmed and
restated ones noticed.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.errors import SourceError
from portfolio.findings import Finding, Severity
from portfolio.sources.batch import ACTION_DTYPES, MACRO_DTYPES, PRICE_DTYPES, Batch, empty_frame
from portfolio.sources.fred import FredFeed
from portfolio.sources.fred_rows import macro_rows
from portfolio.sources.live_faults import RefusedError
from portfolio.sources.live_patience import ask_all
from portfolio.sources.live_wire import Deadline, Progress
from portfolio.sources.yahoo import YahooFeed
from portfolio.sources.yahoo_rows import action_rows, price_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from portfolio.sessions import Moment
    from portfolio.sources.live_patience import Fault
    from portfolio.sources.live_wire import Reach, Wire
    from portfolio.universe import Universe

SOURCE = "live"
FAULTS_TOLD = 3  # in the message of a fetch that brought nothing; the others say the same


@dataclass(frozen=True, slots=True)
class _Brought:
    """What one service brought."""

    frames: Mapping[str, tuple[pd.DataFrame, ...]]
    findings: tuple[Finding, ...] = ()
    requests: int = 0

    def rows(self, place: int, dtypes: Mapping[str, str], at: Moment) -> pd.DataFrame:
        """Return the frames of one kind as one, without what was not yet known: the running day's bar, say."""
        frames = [frames[place] for frames in self.frames.values()]
        rows = pd.concat([empty_frame(dtypes), *frames], ignore_index=True)
        return rows[rows["available_at"] <= at.decided_at].reset_index(drop=True)


def fetch_live(universe: Universe, at: Moment, reach: Reach, wire: Wire, progress: Callable[[Progress], None]) -> Batch:
    """Deliver what the services know at a moment and the store may lack.

    Each service is given `wire.patience.budget_s`, both at the same time, so a fetch ends within that and one last
    time-out, whatever they do. A moment in the past gives FRED's values as of then, and Yahoo's of now up to then.
    Raises SourceError when nothing at all could be had.
    """
    given = universe, at, reach, wire, progress
    end_of_fred = Deadline(wire.patience.budget_s)
    with ThreadPoolExecutor(max_workers=1) as beside:  # FRED's pace is waiting, mostly
        asked_of_fred = beside.submit(_ask_fred, *given, end_of_fred)
        try:
            prices = _ask_yahoo(*given)
        except BaseException:  # Ctrl-C, say: the thread is waited for
            end_of_fred.end()
            raise
        macro = asked_of_fred.result()
    findings = (*prices.findings, *macro.findings)
    if not prices.frames and not macro.frames:
        raise SourceError(_nothing(findings))
    return Batch(
        source=SOURCE,
        fetched_at=at.decided_at,
        prices=prices.rows(0, PRICE_DTYPES, at),
        actions=prices.rows(1, ACTION_DTYPES, at),
        macro=macro.rows(0, MACRO_DTYPES, at),
        findings=findings,
        requests=prices.requests + macro.requests,
    )


def _ask_yahoo(
    universe: Universe, at: Moment, reach: Reach, wire: Wire, progress: Callable[[Progress], None]
) -> _Brought:
    deadline = Deadline(wire.patience.budget_s)
    feed = YahooFeed(wire.yahoo_url, wire.patience.timeout_s, deadline, wire.cache_dir)

    def ask(symbol: str) -> tuple[pd.DataFrame, ...]:
        since = reach.first_day(reach.prices.get(symbol), at.as_of)
        answer = feed.ask(symbol, universe.exchanges[symbol], since)
        return price_rows(symbol, answer), action_rows(symbol, answer)

    asked = ask_all(tuple(universe.exchanges), _told(ask, progress), wire.patience)
    return _Brought(asked.answers, tuple(_findings(asked.faults, at)), feed.requests)


def _ask_fred(  # as the other, and when to end
    universe: Universe,
    at: Moment,
    reach: Reach,
    wire: Wire,
    progress: Callable[[Progress], None],
    deadline: Deadline,
) -> _Brought:
    if not universe.macro:
        return _Brought({})
    wanted = {item.series: item for item in universe.macro}
    if wire.fred_key is None:
        return _Brought({}, (_no_key(wanted),))
    feed = FredFeed(wire.fred_url, wire.fred_key, wire.patience.timeout_s, deadline)

    def ask(series: str) -> tuple[pd.DataFrame, ...]:
        since = reach.first_day(reach.macro.get(series), at.as_of)
        return (macro_rows(series, feed.ask(wanted[series], since, at.decided_at)),)

    asked = ask_all(tuple(wanted), _told(ask, progress), wire.patience)
    return _Brought(asked.answers, tuple(_findings(asked.faults, at)), feed.requests)


def _told(
    ask: Callable[[str], tuple[pd.DataFrame, ...]], progress: Callable[[Progress], None]
) -> Callable[[str], tuple[pd.DataFrame, ...]]:
    """Ask, and tell how it ended."""

    def asked(subject: str) -> tuple[pd.DataFrame, ...]:
        begun = time.monotonic()
        try:
            frames = ask(subject)
        except SourceError as fault:
            progress(Progress(subject, 0, time.monotonic() - begun, str(fault)))
            raise
        progress(Progress(subject, len(frames[0]), time.monotonic() - begun))
        return frames

    return asked


def _findings(faults: Mapping[str, Fault], at: Moment) -> Iterable[Finding]:
    """Tell the faults; what may pass is a warning, as whether the day is blocked is for the series that go stale."""
    for subject, fault in faults.items():
        if isinstance(fault, RefusedError):
            yield Finding(Severity.ERROR, fault.rule, subject, f"{fault}.", at.session)
        else:
            message = f"{fault}. What is stored of it stays; `portfolio update` asks again."
            yield Finding(Severity.WARNING, fault.rule, subject, message, at.session)


def _no_key(wanted: Iterable[str]) -> Finding:
    message = (
        f"FRED_API_KEY is not set: the optional series {', '.join(wanted)} are not fetched. Set it when a feature "
        "needs them; FRED gives keys for nothing."
    )
    return Finding(Severity.INFO, "no-fred-key", "", message)


def _nothing(findings: Iterable[Finding]) -> str:
    told = [finding.message for finding in findings]
    more = f" ... and {len(told) - FAULTS_TOLD} more." if len(told) > FAULTS_TOLD else ""
    return f"The live source brought nothing at all: {' '.join(told[:FAULTS_TOLD])}{more}"
