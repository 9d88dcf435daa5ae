"""What the tool says: one line a step on stdout, which systemd brings into the journal with its priority."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

ERROR = "<3>"  # sd-daemon(3): the line's priority, which alerts look for


def say(line: str) -> None:
    """Tell one step. A reader that has gone away ends no switch."""
    with suppress(OSError, ValueError):
        print(line, flush=True)  # noqa: T201  # the tool's output


def remark(line: str) -> None:
    """Tell something beside the steps, where no answer of a command stands."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # as above


def alarm(line: str) -> None:
    """Tell a failure: as an error in the journal, plainly to a person at a terminal."""
    prefix = ERROR if "JOURNAL_STREAM" in os.environ else ""
    with suppress(OSError, ValueError):
        print(f"{prefix}{line}", file=sys.stderr, flush=True)  # noqa: T201  # as above
