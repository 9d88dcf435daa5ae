"""A history fetched in one go and one fetched morning by morning, on files of one's own, through the real clients.

    .venv/bin/python -m bench.history FILES --universe universe.toml --first 2020-07-15 --last 2025-06-30

FILES is a folder with SYMBOL.csv or SYMBOL.csv.gz for each symbol of the universe file (columns date, close, and open,
high, low, volume where there are any). Prints how long both took, what the checks doubted, and whether both stores
believe the same rows and take the same decisions; ends with 1 when they don't.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.day.answer import fingerprint
from portfolio.day.signal import decide_and_log
from portfolio.day.stages import writing
from portfolio.day.update import fetch, store_batch
from portfolio.sessions import sessions_between
from portfolio.universe import read_universe
from tests.support.days import paris, run_at
from tests.support.live_days import believed, even_weights, live_settings, truth_of, untrue
from tests.support.outside import market_of_files, serving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd

    from portfolio.settings import Settings
    from portfolio.universe import Universe
    from tests.support.live_days import Believed
    from tests.support.outside import Stub

ROWS = ["symbol", "observed_on", "open", "high", "low", "close", "volume", "currency", "available_at"]


def main() -> int:
    """Compare both histories and print what was seen."""
    arguments = _arguments()
    logging.disable(logging.CRITICAL)
    universe = read_universe(arguments.universe)
    mornings = [paris(f"{day} 07:30") for day in sessions_between("XPAR", arguments.first, arguments.last)]
    mornings = [*mornings[: -1 : arguments.every], mornings[-1]]
    with tempfile.TemporaryDirectory(prefix="history-") as made:
        market = market_of_files(Path(made), _files(arguments.files, universe), universe.currencies)
        with serving(market) as stub:
            keys: dict[str, object] = {
                "PORTFOLIO_UNIVERSE_FILE": arguments.universe.absolute(),
                "PORTFOLIO_FETCH_TIMEOUT_S": 20,
            }
            keys |= even_weights(universe)
            step, once = (live_settings(Path(made) / name, stub, **keys) for name in ("step", "once"))
            stepwise = timed("morning by morning", lambda: morning_by_morning(step, stub, mornings))
            at_once = timed("in one go", lambda: in_one_go(once, stub, mornings))
        return told(stepwise, at_once, believed(step), believed(once), truth_of(market))


def morning_by_morning(settings: Settings, stub: Stub, mornings: list[datetime]) -> dict[date, dict[str, Any]]:
    """Update and decide on each morning; returns the answers by session."""
    answers = {}
    for instant in mornings:
        stub.at(instant)
        run = run_at(settings, instant, "run")
        batch = fetch(run)
        with writing(run) as (store, _):
            update = store_batch(store, run, batch)
            answers[run.moment.session] = decide_and_log(store, run, update.noticed).answer
    return answers


def in_one_go(settings: Settings, stub: Stub, mornings: list[datetime]) -> dict[date, dict[str, Any]]:
    """Update once, on the last morning, and decide for each as if it were then."""
    stub.at(mornings[-1])
    run = run_at(settings, mornings[-1], "run")
    batch = fetch(run)
    answers = {}
    with writing(run) as (store, _):
        store_batch(store, run, batch)
        for instant in mornings:
            then = run_at(settings, instant, "signal")
            answers[then.moment.session] = decide_and_log(store, then).answer
    return answers


def told(
    stepwise: Mapping[date, dict[str, Any]],
    at_once: Mapping[date, dict[str, Any]],
    step: Believed,
    once: Believed,
    truth: pd.DataFrame,
) -> int:
    """Print the comparison; 0 when both are the same."""
    same_rows = step.prices[ROWS].equals(once.prices[ROWS])
    different = [session for session in stepwise if fingerprint(stepwise[session]) != fingerprint(at_once[session])]
    print(f"rows believed: {len(step.prices)} and {len(once.prices)}, {'the same' if same_rows else 'NOT THE SAME'}")
    for name, store in (("morning by morning", step), ("in one go", once)):
        rules = store.quarantined.groupby(["symbol", "rule"]).size().to_dict() if len(store.quarantined) else {}
        print(f"  {name}: not as in the files {len(untrue(store.prices, truth))}, in quarantine {rules or 'none'}")
    print(f"decisions: {len(stepwise)} sessions, {len(different)} different {different[:5]}")
    print(f"  {dict(Counter(answer['decision'] for answer in stepwise.values()))}")
    for session in different[:3]:
        print(f"  {session}: {stepwise[session]['reasons']} / {at_once[session]['reasons']}")
    holds = [answer["reasons"] for answer in stepwise.values() if answer["decision"] == "HOLD"]
    held = Counter(reason.split(":")[0] for reasons in holds for reason in reasons)
    print(f"  reasons of HOLD: {dict(held.most_common(8)) or 'none'}")
    return 0 if same_rows and not different else 1


def timed(what: str, do: Any) -> Any:  # noqa: ANN401  # whatever is timed returns
    """Do it, and print how long it took."""
    begun = time.perf_counter()
    done = do()
    print(f"{what}: {time.perf_counter() - begun:.1f} s", flush=True)
    return done


def _files(folder: Path, universe: Universe) -> dict[str, Path]:
    found = {}
    for symbol in universe.exchanges:
        candidates = [path for suffix in (".csv", ".csv.gz") if (path := folder / f"{symbol}{suffix}").exists()]
        if not candidates:
            sys.exit(f"{folder} has no {symbol}.csv or {symbol}.csv.gz, which the universe file names: add it.")
        found[symbol] = candidates[0]
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.history", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, help="the folder of price files")
    parser.add_argument("--universe", type=Path, required=True, help="the universe file that names them")
    parser.add_argument("--first", type=date.fromisoformat, required=True, help="first session decided")
    parser.add_argument("--last", type=date.fromisoformat, required=True, help="last session decided")
    parser.add_argument("--every", type=int, default=1, help="sessions between two mornings")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
