"""Properties draw the same examples on every machine: a red build is a change's doing, and can be seen again.

To look for new ones: HYPOTHESIS_PROFILE=explore .venv/bin/python -m pytest tests/unit
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
