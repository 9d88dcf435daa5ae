"""What is said of settings that break a rule: the key, the rule, the value seen (never a secret's), what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from portfolio.settings_files import env_file_values, toml_values

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pydantic import ValidationError


def broken_rules(error: ValidationError, known: AbstractSet[str], secret: AbstractSet[str]) -> str:
    """Tell every rule that was broken; pydantic's own inputs are hidden, so that no secret leaks through one."""
    lines = ["Settings that break a rule:"]
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        rule = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {key}: {rule}{_seen(key, known, secret)}." if key else f"  {rule}.")
    lines.append("Mend them in the environment, .env or portfolio.toml; docs/ENVIRONMENT.md lists every key.")
    return "\n".join(lines)


def not_json(key: str, known: AbstractSet[str], secret: AbstractSet[str]) -> str:
    """Tell that a table is not JSON."""
    return f'Settings: {key} must be JSON, {{"CASH": 1}} say{_seen(key, known, secret)}. Mend it and run again.'


def _seen(key: str, known: AbstractSet[str], secret: AbstractSet[str]) -> str:
    top = key.split(".", maxsplit=1)[0]
    if top in secret:
        return "; the value is not shown, it is a secret"
    if top not in known:
        return ""
    for values in (os.environ, env_file_values(), toml_values()):
        found = next((value for name, value in values.items() if name.upper() == top), None)
        if found is not None:
            return f"; seen {str(found)!r}"
    return ""
