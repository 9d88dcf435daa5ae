"""How much a run proves: VPS_PROOF=short is what CI has time for, full is everything."""

from __future__ import annotations

import os

FULL = os.environ.get("VPS_PROOF", "short") == "full"
# Two versions of one commit, packed by `make test-vps`.
FIRST, SECOND = "1.0.1", "1.0.2"
# The goals of the installation.
PAUSED_S = 20
REBOOT_S = 120
PEAK_MB = 2000
# A release that fails is gone again within this, from the command's first line to its last.
BAD_RELEASE_S = 300
# Bad releases that the short proof has time for: refused before the switch, failing in its midst, failing at its end;
# and a good one that migrates.
SHORT_BAD = ("signal-differs", "migration-fails-live", "worker-crashes", "health-fails-live", "disk-full", "migrates")
