"""What is done before a worker starts, as a command: `python -m flows.startup --queue QUEUE`.

Prefect and pandas are imported only when there is something to do for them: a slot that does not serve starts at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.errors import PortfolioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare Prefect for a worker on a queue, and say what was done."""
    arguments = _parser().parse_args(argv)
    if arguments.serving_slot and not serves(arguments.queue, installed_in(Path(sys.prefix))):
        print(f"Slot {arguments.queue} does not serve: nothing to prepare.")  # noqa: T201  # the answer
        return 0
    try:
        for line in _told(arguments):
            print(line, flush=True)  # noqa: T201  # as above
    except PortfolioError as error:
        print(error, file=sys.stderr)  # noqa: T201  # as above
        return int(error.exit_code)
    return 0


def installed_in(prefix: Path) -> Path:
    """Return the folder of slots and releases, seen from an environment, `<it>/releases/<version>/venv`."""
    return prefix.resolve().parents[2]


def serves(slot: str, installed: Path) -> bool:
    """Tell whether `current` leads to a slot."""
    try:
        return (installed / "current").readlink().name == slot
    except OSError:  # nothing serves yet
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.startup", description=__doc__)
    parser.add_argument("--queue", required=True, help="the queue its worker takes runs from")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the settings files are read from")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--beside-worker", action="store_true", help="its worker runs already")
    how.add_argument("--serving-slot", action="store_true", help="only when this slot serves")
    how.add_argument("--register-only", action="store_true", help="hand the deployments to this slot's queue, no more")
    how.add_argument("--make-up-only", action="store_true", help="start the sessions that lack, no more")
    return parser


def _told(arguments: argparse.Namespace) -> Iterator[str]:
    from portfolio.settings import read_settings  # noqa: PLC0415  # a slot's start need not wait for all this

    settings, folder = read_settings(), arguments.folder.absolute()
    if arguments.register_only:
        from flows.deployments import registered  # noqa: PLC0415  # Prefect, as above
        from portfolio.settings_logs import start_logging  # noqa: PLC0415

        start_logging(settings, f"register-{os.getpid()}")
        return registered(settings, folder, arguments.queue, is_slot=True)
    from flows import preparing  # noqa: PLC0415  # pandas and the calendars, which registering does without
    from portfolio.day.entry import enter  # noqa: PLC0415  # as above

    start = preparing.Start(
        enter("startup", settings), folder, arguments.queue, arguments.beside_worker, is_slot=arguments.serving_slot
    )
    if arguments.make_up_only:
        return preparing.made_up(start)
    return preparing.prepared(start)


if __name__ == "__main__":
    sys.exit(main())
