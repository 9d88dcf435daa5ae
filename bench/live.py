"""How long an update of the live source takes, and how many requests it makes, against the stub on this machine.

Each repetition is a process of its own on a store that has all but the newest day: what a morning does. FRED's pace of
two requests a second is in it, the network is not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.outside import Stub, market_of_sample, serving

REPETITIONS = 5
COMMAND = Path(sys.executable).with_name("portfolio")
EVENING, MORNING = "2018-06-28T07:30+02:00", "2018-06-29T07:30+02:00"
MARKET_FROM, MARKET_TO = date(2010, 1, 4), date(2018, 7, 13)


def seconds_of(*command: str, environment: dict[str, str]) -> tuple[float, str]:
    """Run a command and return its seconds and what it printed."""
    begun = time.perf_counter()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, ended.stdout


def update(stub: Stub, instant: str, environment: dict[str, str]) -> tuple[float, int]:
    """Update at an instant and return the seconds and the number of requests."""
    stub.at(datetime.fromisoformat(instant).astimezone(ZoneInfo("UTC")))
    command = (str(COMMAND), "update", "--source", "live", "--as-of", instant, "--json")
    seconds, printed = seconds_of(*command, environment=environment)
    return seconds, json.loads(printed)["requests"]


def main() -> None:
    """Print the medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(market_of_sample(folder / "market", MARKET_FROM, MARKET_TO)) as stub:
            environment = {**os.environ, **stub.settings, "DATA_DIR": str(folder / "data")}
            first = update(stub, EVENING, environment)
            new_day = update(stub, MORNING, environment)
            unchanged = [update(stub, MORNING, environment) for _ in range(REPETITIONS)]
        starts = [seconds_of(sys.executable, "-c", "pass", environment=environment)[0] for _ in range(REPETITIONS)]
    rows = {
        f"first update, {MARKET_TO.year - MARKET_FROM.year} years": first,
        "update with a new day": new_day,
        f"update without change (median of {REPETITIONS})": (
            statistics.median(seconds for seconds, _ in unchanged),
            max(requests for _, requests in unchanged),
        ),
        "of which Python itself": (statistics.median(starts), 0),
    }
    for what, (seconds, requests) in rows.items():
        print(f"{what:<46} {seconds:7.2f} s  {requests:3d} requests")


if __name__ == "__main__":
    main()
