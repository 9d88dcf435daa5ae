"""Yahoo's daily chart of one symbol through yfinance: asked once, its faults named, nothing judged.

yfinance's caches live in a folder of ours and only hold what cannot grow stale: cookies, which expire, and time zones,
which are set to the exchange's own before each question. Its cache of answers is never used: it keeps those whose end
is past, and every question reaches to the present. That is also what un-adjusting needs: each split after a row.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yfinance
from yfinance.cache import get_tz_cache
from yfinance.exceptions import YFPricesMissingError

from portfolio.sources.live_faults import PassingError, RefusedError
from portfolio.sources.yahoo_events import dividend_events, exchange_days, split_events
from portfolio.sources.yahoo_session import YahooSession

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd

    from portfolio.sources.live_wire import Deadline

# How yfinance handles its frames says nothing about our data. Once for the process: FRED is asked in a thread beside,
# and what one thread changes for a while (`catch_warnings`) the other undoes.
warnings.filterwarnings("ignore", module=r"yfinance(\.|$)")

ZONES = {"XPAR": "Europe/Paris", "XNYS": "America/New_York"}  # as Yahoo names them
COOKIE_REFUSALS = (401, 403)
REFUSALS = range(400, 500)


@dataclass(frozen=True, slots=True)
class YahooAnswer:
    """A chart as yfinance reads it, and its events as they came.

    `bars`: Open High Low Close (split-adjusted) and Volume by the exchange's day. `dividends` (per share of now) and
    `splits` (new shares for one old): `day`, `value`; taken from the answer itself, as yfinance sums two of one day and
    moves one of a day without a bar to the bar before. `live_close`: of a second bar of the newest day, which yfinance
    leaves out.
    """

    bars: pd.DataFrame
    dividends: pd.DataFrame
    splits: pd.DataFrame
    currency: str
    live_close: float | None


class YahooFeed:
    """One fetch's way to Yahoo: a session, its deadline and the count of its requests."""

    def __init__(self, base: str | None, timeout_s: float, deadline: Deadline, cache_dir: Path) -> None:
        self._session = YahooSession(base, timeout_s, deadline)
        self._timeout_s = timeout_s
        self._deadline = deadline
        yfinance.set_tz_cache_location(str(cache_dir / "yfinance"))
        yfinance.config.debug.hide_exceptions = False
        # Whatever it has to say becomes a fault of ours; its own lines tell the same again, and guess at delistings.
        logging.getLogger("yfinance").setLevel(logging.CRITICAL + 1)
        logging.getLogger("peewee").setLevel(logging.WARNING)  # yfinance's cache: its debug lines hold the cookie

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._session.count

    def ask(self, symbol: str, exchange: str, since: date) -> YahooAnswer:
        """Ask once for a symbol's chart from a day to the present; raises PassingError or RefusedError."""
        self._session.chart = None
        try:
            return self._asked(symbol, ZONES[exchange], since)
        except (PassingError, RefusedError):
            raise
        except YFPricesMissingError as error:
            raise self._missing(symbol, error) from error
        except OSError as error:  # curl's errors are
            said = str(error).partition(". See ")[0]  # then curl's own advice
            message = f"{symbol}: no answer of Yahoo ({self._deadline.in_words(said)})"
            raise PassingError(message) from error
        except Exception as error:  # whatever yfinance makes of an odd answer, or of its cache: one symbol of many
            raise self._unreadable(symbol, error) from error

    def _asked(self, symbol: str, zone: str, since: date) -> YahooAnswer:
        zones: Any = get_tz_cache()
        if zones.lookup(symbol) != zone:  # else yfinance asks Yahoo, and keeps whatever it says
            zones.store(symbol, zone)
        ticker = yfinance.Ticker(symbol, session=self._session)
        bars = ticker.history(
            start=since,
            interval="1d",
            auto_adjust=False,
            back_adjust=False,
            actions=True,
            keepna=True,
            repair=False,
            timeout=self._timeout_s,
        )
        meta = ticker.get_history_metadata()
        if meta["exchangeTimezoneName"] != zone:
            raise RefusedError(_other_zone(symbol, zone, meta["exchangeTimezoneName"]), rule="wrong-time-zone")
        events = self._events()
        return YahooAnswer(
            bars=bars.set_axis(exchange_days(bars.index)),
            dividends=dividend_events(events, zone, meta["currency"]),
            splits=split_events(events, zone),
            currency=str(meta["currency"] or ""),
            live_close=float(meta["lastTrade"]["Price"]) if "lastTrade" in meta else None,
        )

    def _events(self) -> dict[str, Any]:
        chart = self._session.chart
        return (json.loads(chart.content)["chart"]["result"][0].get("events") or {}) if chart else {}

    def _missing(self, symbol: str, error: YFPricesMissingError) -> PassingError | RefusedError:
        said = error.yahoo_reason or "no prices in the answer"
        return self._refused(symbol, said) or PassingError(f"{symbol}: Yahoo gave nothing ({said})")

    def _unreadable(self, symbol: str, error: Exception) -> PassingError | RefusedError:
        chart, kind = self._session.chart, type(error).__name__
        seen = f"HTTP {chart.status_code}, {len(chart.content)} bytes" if chart else "no answer"
        unreadable = PassingError(f"{symbol}: Yahoo's answer is cut off or no chart ({seen}; {kind})")
        return self._refused(symbol, kind) or unreadable

    def _refused(self, symbol: str, said: str) -> PassingError | RefusedError | None:
        """Name the fault of a refusal; "possibly delisted" with a good status is none, and may pass."""
        status = self._session.chart.status_code if self._session.chart else 0
        if status in COOKIE_REFUSALS:
            self._session.forget_cookies()  # yfinance would offer the one it keeps again and again
            return PassingError(f"{symbol}: Yahoo refuses the cookie (HTTP {status}: {said})")
        if status in REFUSALS:
            message = f"{symbol}: Yahoo refuses the request (HTTP {status}: {said}); try again later"
            return RefusedError(message)
        return None


def _other_zone(symbol: str, zone: str, seen: str) -> str:
    return (
        f"{symbol}: Yahoo's days are those of {seen}, the exchange's are of {zone}; none is taken, compare the ticker "
        "with the universe file and try again later"
    )
