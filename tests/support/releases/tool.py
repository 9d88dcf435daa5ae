"""The release tool as `python -m portfolio.release`, but looking oftener: what it asks here costs nobody time."""

from __future__ import annotations

import sys

from portfolio.release import visible, worker
from portfolio.release.cli import main

LOOK_S = 0.02

if __name__ == "__main__":
    visible.POLL_S = worker.POLL_S = worker.QUIET_POLL_S = LOOK_S
    sys.exit(main())
