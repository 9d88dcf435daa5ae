"""FRED's observations of one series through fredapi: asked once, its faults named, the key in no text.

What is asked for is what FRED knew on the day of the run: an old `--as-of` sees the values of that day, not those they
were revised to later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.error import URLError
from zoneinfo import ZoneInfo

import pandas as pd
from fredapi import Fred

from portfolio.sources.fred_wire import FredHandler
from portfolio.sources.live_faults import PassingError, RefusedError, of_status

if TYPE_CHECKING:
    from datetime import date, datetime

    from portfolio.sources.live_wire import Deadline
    from portfolio.universe import MacroSeries

ST_LOUIS = ZoneInfo("America/Chicago")  # whose days FRED's "today" and vintages are
REFUSALS = range(400, 500)
HIDDEN = "[secret]"


class FredFeed:
    """One fetch's way to FRED, and the count of its requests.

    fredapi puts the key into the address, which exceptions and their causes carry: what leaves this class is raised
    `from None` and tells no more of FRED's words than those about the request.
    """

    def __init__(self, root: str, key: str, timeout_s: float, deadline: Deadline) -> None:
        self._client = Fred(api_key=key)
        self._client.root_url = root
        self._key = key
        self._deadline = deadline
        self._handler = FredHandler(timeout_s, deadline)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._handler.count

    def ask(self, series: MacroSeries, since: date, now: datetime) -> pd.DataFrame:
        """Ask once for a series' observations of a day and later, as FRED knew them at an instant.

        Returns `observed_on`, `value` (NaN: none) and `released_on`, NaT unless the series is revised: then every
        observation comes. Raises PassingError or RefusedError.
        """
        known_on = f"{now.astimezone(ST_LOUIS):%Y-%m-%d}"
        try:
            with self._handler.asked_by_urllib():
                told = self._revised(series, known_on) if series.revised else self._plain(series, since, known_on)
        except (PassingError, RefusedError):
            raise
        except Exception as error:  # noqa: BLE001  # of sockets, HTTP, XML, fredapi: one series of many
            raise self._fault(series.series, error) from None  # the cause shows the address, with the key in it
        if told.empty:  # never so in earnest: the newest believed observation is asked for again
            message = f"{series.series}: FRED gave no observation since {since}"
            raise PassingError(message)
        return told

    def _plain(self, series: MacroSeries, since: date, known_on: str) -> pd.DataFrame:
        values = self._client.get_series(
            series.series, observation_start=since, realtime_start=known_on, realtime_end=known_on
        )
        return pd.DataFrame({"observed_on": values.index, "value": values.to_numpy(), "released_on": pd.NaT})

    def _revised(self, series: MacroSeries, known_on: str) -> pd.DataFrame:
        """Return the newest value of each observation, with the day on which it became so; any may have changed."""
        releases = self._client.get_series_all_releases(series.series, realtime_end=known_on)
        if releases.empty:
            return releases
        newest = releases.sort_values(["date", "realtime_start"]).drop_duplicates("date", keep="last")
        return newest.rename(columns={"date": "observed_on", "realtime_start": "released_on"}).reset_index(drop=True)

    def _fault(self, series: str, error: Exception) -> PassingError | RefusedError:
        status = self._handler.status
        if fault := of_status(status, f"{series} at FRED", self._handler.retry_after):
            return fault
        if status in REFUSALS and isinstance(error, ValueError):  # fredapi makes one of FRED's own words
            return self._refused(series, str(error).replace(self._key, HIDDEN))
        seen = f"HTTP {status}, no observations in it" if status else "no answer"
        why = str(error.reason).replace(self._key, HIDDEN) if isinstance(error, URLError) else type(error).__name__
        told = self._deadline.in_words(f"{seen}; {why}")
        return PassingError(f"{series}: FRED's answer is cut off, late or none ({told})")

    def _refused(self, series: str, said: str) -> RefusedError:
        if "api_key" in said:
            message = f"{series}: FRED refuses the key ({said}); set FRED_API_KEY to the one your FRED account shows"
            return RefusedError(message, rule="key-refused", whole_service=True)
        if "does not exist" in said:
            message = f"{series}: FRED does not have the series on that day ({said}); mend the universe file"
            return RefusedError(message, rule="unknown-to-provider")
        return RefusedError(f"{series}: FRED refuses the request ({said}); try again later")
