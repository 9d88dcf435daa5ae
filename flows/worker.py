"""Prefect's worker as our unit runs it: the API's password reaches its flows by their profile, not their environment.

Prefect hands each flow's process all settings that are set in the worker, as environment variables. Whoever may read
that process's environment, and whatever prints it, would have the password. The flows find it themselves: they inherit
`PREFECT_PROFILES_PATH`, which leads to a credential of the unit.
"""

from __future__ import annotations

import sys

from prefect.cli import app
from prefect.settings import get_current_settings


def main() -> int:
    """Run Prefect's command line with the words given, the password's setting marked as not to be handed on."""
    hide_password()
    return int(app() or 0)


def hide_password() -> None:
    """Mark the password as unset, by which Prefect passes it over; its value stays for the worker's own requests."""
    get_current_settings().api.model_fields_set.discard("auth_string")


if __name__ == "__main__":
    sys.exit(main())
