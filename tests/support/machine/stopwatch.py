"""How long a part took, among the figures: `python -m tests.support.machine.stopwatch`, then the same with a name."""

from __future__ import annotations

import json
import sys
import time

from tests.support.machine.place import Place, place


def lap(at: Place, name: str | None, now: float) -> None:
    """Note the time since the lap before under a name; without one it only begins."""
    kept = at.build / f"{at.name}-stopwatch"
    if name and kept.exists():
        figure = {"at": round(now, 1), "name": name, "value": round(now - float(kept.read_text()), 1)}
        with (at.build / f"{at.name}-figures.jsonl").open("a") as lines:
            lines.write(json.dumps(figure) + "\n")
    kept.write_text(str(now))


if __name__ == "__main__":
    lap(place(), " ".join(sys.argv[1:]) or None, time.time())
