"""Where the time and the memory of a day on the sample go.

Each repetition is a process of its own that starts with an empty folder: imports, store, first fit and all. The
figures are medians; compare ratios, not seconds, on a busy machine.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portfolio.day.champion import Reader
    from portfolio.regime.model import RegimeModel

REPETITIONS = 5


@contextmanager
def lap(laps: dict[str, float], name: str) -> Iterator[None]:
    """Add the time spent inside to a stage."""
    begun = time.perf_counter()
    yield
    laps[name] = laps.get(name, 0.0) + time.perf_counter() - begun


def one_day(folder: Path) -> dict[str, float]:
    """Do a day's stages one by one and return seconds by stage, and the peak memory in MB."""
    laps: dict[str, float] = {}
    with lap(laps, "import"):
        from portfolio.clock import now_utc  # noqa: PLC0415
        from portfolio.day import champion, signal, stages, update  # noqa: PLC0415  # what is measured
        from portfolio.day.run import begin_run, new_run_id  # noqa: PLC0415
        from portfolio.regime import hmm  # noqa: F401, PLC0415
        from portfolio.regime.filter import filter_probabilities  # noqa: PLC0415
        from portfolio.settings import read_settings  # noqa: PLC0415
    with lap(laps, "import hmmlearn (only when a fit is due)"):
        import hmmlearn.hmm  # noqa: F401, PLC0415  # what is measured
    with lap(laps, "settings, calendars"):
        settings = read_settings({"DATA_DIR": str(folder), "PORTFOLIO_SOURCE": "sample"})
        started = now_utc()
        run = begin_run("bench", settings, started, new_run_id(started))
    with lap(laps, "fetch (read and reconstruct the sample)"):
        batch = update.fetch(run)
    with stages.writing(run) as (store, ending):
        with lap(laps, "check"):
            checked = update.checked_batch(store, run, batch)
        with lap(laps, "store (append a first batch)"):
            update.store_checked(store, run, checked)
        terms = signal.terms_of(settings, run.universe)
        with lap(laps, "read what is known, build features"):
            known = signal.read_known(store, run.moment.decided_at, signal.newest_batch(store))
            view = signal.view_of(known, terms, run.moment)
        with lap(laps, "fit (ten starts), judge, promote"):
            reader = champion.choose_reader(store, run, view, terms, write=True)
        with lap(laps, "filter (whole history)"):
            filter_probabilities(fitted(reader), view.features)
        with lap(laps, "decide, orders and log (reads and filters again)"):
            decided = stages.signal_stage(store, run, ending)
            stages.orders_stage(store, run, decided, ending)
        with lap(laps, "report (replays the decision, draws the page)"):
            stages.page_stage(store, run, ending)
        closing = time.perf_counter()
    laps["journal, publish, checkpoint"] = time.perf_counter() - closing
    laps["peak memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return laps


def fitted(reader: Reader) -> RegimeModel:
    """Return the model that was just promoted."""
    if reader.model is None:
        message = f"the sample's fit was not promoted: {reader.fallback_reason}"
        raise RuntimeError(message)
    return reader.model


def command_seconds(*arguments: str, folder: Path) -> float:
    """Time one command as a user runs it."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "portfolio", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"DATA_DIR": str(folder)})
    return time.perf_counter() - begun


def main() -> None:
    """Print the medians over the repetitions."""
    days, commands = [], {"--help": [], "run (first)": [], "run (again)": [], "health": []}
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-m", "bench.day", folder], check=True, capture_output=True, text=True
            )
            days.append(json.loads(done.stdout))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            commands["--help"].append(command_seconds("--help", folder=folder))
            commands["run (first)"].append(command_seconds("run", folder=folder))
            commands["run (again)"].append(command_seconds("run", folder=folder))
            commands["health"].append(command_seconds("health", folder=folder))
    print(f"A day on the sample, stage by stage, medians of {REPETITIONS} fresh processes")
    memory = statistics.median(day.pop("peak memory, MB") for day in days)
    total = statistics.median(sum(day.values()) for day in days)
    for name in days[0]:
        seconds = statistics.median(day[name] for day in days)
        print(f"  {name:<52} {seconds:7.3f} s  {seconds / total:6.1%}")
    print(f"  {'sum':<52} {total:7.3f} s\n  {'peak memory':<52} {memory:7.0f} MB")
    print(f"Commands, medians of {REPETITIONS}")
    for name, seconds in commands.items():
        print(f"  portfolio {name:<42} {statistics.median(seconds):7.3f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one_day(Path(sys.argv[1]))))
    else:
        main()
