"""The command line: parse, run one command, turn an error into text and an exit code.

Comes in: arguments. Goes out: the answer on stdout (one JSON document with --json), logs on stderr, an exit
code. Never: heavy imports before a command needs them.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, Protocol, cast

from portfolio import __version__
from portfolio.errors import ExitCode, PortfolioError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "the whole day: update, signal, orders, report, publish",
    "update": "fetch and check prices and macro series",
    "signal": "decide the target weights for the next session",
    "orders": "whole-share proposals from weights and the ledger",
    "ledger": "what really happened: import, show, check",
    "report": "write the HTML page",
    "health": "checks, one line each",
    "serve": "the page, the newest decision, health and metrics over HTTP",
    "deadman": "is the daemon silent? for a timer that does not depend on it",
    "migrate": "bring the store to this release's schema",
    "publish": "publish a read copy of the store",
    "backup": "make a verified backup of the store and its models, prune old ones",
    "verify-backup": "compare a backup with its manifest",
    "restore": "bring a backup back, keeping what it replaces",
    "config": "show or validate the settings",
}

EXIT_CODES = """exit codes:
  0 done   1 failed   2 wrong usage or settings   3 HOLD, blocked by the data   4 refused by a limit or rule   5 busy
"""


class Command(Protocol):
    """What a module of this package offers."""

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, print the answer, return the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _ensure_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        return _top_level(arguments)
    name, *rest = arguments
    command = cast("Command", importlib.import_module(f"portfolio.cli.{name.replace('-', '_')}"))
    parser = argparse.ArgumentParser(
        prog=f"portfolio {name}",
        description=COMMANDS[name],
        epilog=f"example:\n  {command.EXAMPLE}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    parsed = parser.parse_intermixed_args(rest)
    try:
        code = int(command.run(parsed))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, say) has gone; what was committed stays. Python would complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILED)
    except PortfolioError as error:
        return _told(name, str(error), error.exit_code)
    except (OSError, UnicodeError) as error:
        # The disk, a right, a name no encoding can say: the operator's to mend, whatever line it showed on.
        what = f"{error}; what was committed stays. Check the disk's room and rights and the terminal's encoding."
        return _told(name, what, ExitCode.FAILED)
    except KeyboardInterrupt:
        return _told(name, "stopped from the keyboard; what was committed stays, run it again.", 128 + 2)
    return code


def _ensure_streams() -> None:
    """Have somewhere to print to when a stream was closed, and print what an encoding lacks as an escape."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # for the process
        getattr(sys, stream).reconfigure(errors="backslashreplace")


def _told(name: str, message: str, code: int) -> int:
    print(f"portfolio {name}: {message}", file=sys.stderr)
    return int(code)


def _top_level(arguments: list[str]) -> int:
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="portfolio",
        description="What a PEA should hold for the next session, and why.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<{width}} {summary}" for name, summary in COMMANDS.items())
        + f"\n\n{EXIT_CODES}\nexample:\n  portfolio run --source sample\n  portfolio signal --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"portfolio {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=sorted(COMMANDS), help="one of the commands below")
    parser.parse_args(arguments)
    return ExitCode.USAGE  # parse_args has ended the process: a known command never comes here


if __name__ == "__main__":
    sys.exit(main())
