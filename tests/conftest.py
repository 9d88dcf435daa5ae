"""What a test sees is its own doing: the same drawn examples on every machine, nothing kept by an earlier test.

To look for new examples: HYPOTHESIS_PROFILE=explore .venv/bin/python -m pytest tests/unit
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def yfinance_as_in_a_new_process() -> None:
    """Have yfinance begin anew: for as long as a process lives it keeps its crumb and its first cache folder."""
    if "yfinance" in sys.modules:
        from yfinance import cache, data  # noqa: PLC0415  # its import is slow, and few tests need it

        data.YfData._instances.clear()  # noqa: SLF001  # here and below: it has no other way to forget
        cache._CookieCacheManager._Cookie_cache = None  # noqa: SLF001
        cache._TzCacheManager._tz_cache = None  # noqa: SLF001
