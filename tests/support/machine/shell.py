"""Commands on the machine, by SSH as root: what a person with the key can do."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.machine.commands import CommandError

if TYPE_CHECKING:
    from tests.support.machine.place import Place

CONNECTION_FAILED = 255


def ssh_options(at: Place) -> list[str]:
    """Return the options of an SSH client that knows this machine only."""
    return [
        *("-i", str(at.key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"),
        *("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"),
    ]


def attempt(at: Place, command: str, *, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command on the machine and return how it ended."""
    return subprocess.run(
        ["/usr/bin/ssh", *ssh_options(at), f"root@{at.address}", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def on(at: Place, command: str, *, seconds: float = 120) -> str:
    """Run a command on the machine and return what it printed; raise CommandError when it fails."""
    ended = attempt(at, command, seconds=seconds)
    if ended.returncode:
        said = "\n".join((ended.stderr + ended.stdout).strip().splitlines()[-20:])
        message = f"On {at.name}: {command!r} ended with {ended.returncode}: {said}"
        raise CommandError(message)
    return ended.stdout


def document(at: Place, command: str, *, seconds: float = 120) -> Any:
    """Run a command on the machine that prints one JSON document, and return it."""
    return json.loads(on(at, command, seconds=seconds))
