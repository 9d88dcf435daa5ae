"""Programs of the host, run and answered for: a failure shows what the program said."""

from __future__ import annotations

import subprocess


class CommandError(RuntimeError):
    """A program of the host ended with an error."""


def run(*command: str, stdin: str | None = None, seconds: float = 60) -> str:
    """Run a program and return what it printed; raise CommandError with its own words."""
    ended = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
    )
    if ended.returncode:
        said = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-15:])
        message = f"{' '.join(command)} ended with {ended.returncode}: {said}"
        raise CommandError(message)
    return ended.stdout


def succeeds(*command: str) -> bool:
    """Tell whether a program ends well, whatever it says."""
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
