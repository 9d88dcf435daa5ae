"""yfinance as a new process finds it: for as long as one lives it keeps its crumb and its first cache folder."""

from __future__ import annotations

import sys


def forget_yfinance() -> None:
    """Have yfinance begin anew, as it does for each run of ours; what it cached on the disk stays."""
    if "yfinance" not in sys.modules:  # its import is slow, and few tests need it
        return
    from yfinance import cache, data  # noqa: PLC0415  # as above

    data.YfData._instances.clear()  # noqa: SLF001  # here and below: it has no other way to forget
    cache._CookieCacheManager._Cookie_cache = None  # noqa: SLF001
    cache._TzCacheManager._tz_cache = None  # noqa: SLF001
