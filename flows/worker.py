"""Prefect's worker as we run it: its flows have its own Python, and no password in their environment.

Our deployments say `python`: the one of the worker that takes the run, whichever release registered them.

Prefect hands each flow's process all settings that are set in the worker, as environment variables. Whoever may read
that process's environment, and whatever prints it, would have the password. The flows find it themselves: they inherit
`PREFECT_PROFILES_PATH`, which leads to a credential of the unit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from prefect.cli import app
from prefect.settings import get_current_settings


def main() -> int:
    """Run Prefect's command line with the words given."""
    hide_password()
    put_python_first()
    return int(app() or 0)


def hide_password() -> None:
    """Mark the password as unset, by which Prefect passes it over; its value stays for the worker's own requests."""
    get_current_settings().api.model_fields_set.discard("auth_string")


def put_python_first() -> None:
    """Let `python` mean the one that runs this, here and in what is started from here."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


if __name__ == "__main__":
    sys.exit(main())
