from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from portfolio.settings import known_keys

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Read settings in an empty folder, in an environment without our keys: nobody's .env decides a test."""
    with pytest.MonkeyPatch.context() as place:
        place.chdir(tmp_path_factory.mktemp("folder"))
        for key in [key for key in os.environ if key in known_keys() or key.startswith("PORTFOLIO_")]:
            place.delenv(key)
        yield
