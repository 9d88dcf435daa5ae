"""`python -m tests.support.outside --sample`: the outside world for another shell, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from datetime import datetime, timedelta
from pathlib import Path

from portfolio.sessions import PARIS
from tests.support.outside import serving
from tests.support.outside.faults import NAMES, fault_of
from tests.support.outside.market import newest_instant, read_market
from tests.support.outside.sample_market import market_of_sample

PATIENT = {"PORTFOLIO_FETCH_TIMEOUT_S": "10"}  # a first fetch on a busy laptop takes longer than tests wait
EXAMPLE = """\
example:
  python -m tests.support.outside --sample --port 8900 --fault nan-tail --fault 'rate-limited:LQQ.PA*3'
  make run SOURCE=live ARGS="--as-of 2018-12-28T07:30+01:00"      (in another shell, with the lines printed)
"""


def main() -> None:
    """Serve a market until SIGINT or SIGTERM, and print what another shell has to export."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="outside-") as made:
        folder = arguments.market or market_of_sample(Path(made))
        with serving(folder, arguments.port) as stub:
            stub.at(arguments.at)
            stub.inject(*arguments.fault)
            known = newest_instant(read_market(folder)).astimezone(PARIS) + timedelta(days=1)
            morning = known.replace(hour=7, minute=30, second=0)
            for key, value in (stub.settings | PATIENT).items():
                print(f"export {key}={value}", flush=True)  # noqa: T201  # its answer
            print(f"# the market is known to the end by --as-of {morning.isoformat()}", flush=True)  # noqa: T201
            _until_told_to_end()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.outside",
        description=main.__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--market", type=Path, help="a folder of small files (tests/support/outside/market.py)")
    where.add_argument("--sample", action="store_true", help="the packaged sample as a market, in a folder of its own")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--at", type=_instant, help="the services' clock, Paris time; else all is known")
    parser.add_argument(
        "--fault",
        type=fault_of,
        action="append",
        default=[],
        metavar="NAME[:ON][*TIMES]",
        help=f"what goes wrong, where, how often; names: {', '.join(NAMES)}",
    )
    return parser.parse_args()


def _instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=PARIS)


def _until_told_to_end() -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    told.wait()


if __name__ == "__main__":
    main()
