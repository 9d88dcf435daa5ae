"""What a test sees is its own doing: the same drawn examples on every machine, nothing kept by an earlier test.

To look for new examples: HYPOTHESIS_PROFILE=explore .venv/bin/python -m pytest tests/unit
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.support.new_process import forget_yfinance

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

LONGEST = "test_flows_weeks.py"  # seventeen minutes; the other workers do all the rest meanwhile


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file, so that no core idles at the end."""
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(autouse=True)
def in_a_new_process() -> None:
    """Have each test begin as a process does."""
    forget_yfinance()
