"""`portfolio config`: the settings in force, secrets hidden; or whether they keep their rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portfolio.allocation.policy import ensure_policy
from portfolio.errors import SettingsError
from portfolio.settings import Settings, is_secret, key_of, read_settings, unknown_keys
from portfolio.universe import read_universe

if TYPE_CHECKING:
    import argparse

EXAMPLE = "portfolio config show --json"
HIDDEN = "(set, hidden)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "validate"), help="show the values, or only check them")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--strict", action="store_true", help="fail on keys this release does not know")


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings()
    ensure_policy(settings.policy, read_universe(settings.universe_file).tickers)
    unknown = unknown_keys()
    if unknown and arguments.strict:
        message = f"Keys this release does not know: {', '.join(unknown)}. Mend or remove them, or drop --strict."
        raise SettingsError(message)
    values = shown_values(settings)
    if arguments.json:
        document = {"settings": values, "unknown_keys": list(unknown), "paths": places(settings)}
        print(json.dumps(document, indent=2))
    elif arguments.action == "show":
        print(
            "\n".join(
                f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items()
            )
        )
    else:
        print(f"The settings keep their rules ({len(values)} keys).")
    if unknown and not arguments.json:
        print(f"Not known to this release, and ignored: {', '.join(unknown)}.")
    return 0


def shown_values(settings: Settings) -> dict[str, object]:
    """Return every setting by key as plain JSON values, with secrets hidden."""
    plain = settings.model_dump(mode="json", by_alias=False)
    return {key_of(name): _shown(name, getattr(settings, name), plain[name]) for name in Settings.model_fields}


def places(settings: Settings) -> dict[str, str]:
    """Return where things are, for programs that must not know how the settings make paths of them."""
    from portfolio.store.connection import published_path  # noqa: PLC0415  # DuckDB: not for --help

    store = settings.store_path
    return {
        "store": str(store),
        "published": str(published_path(store)),
        "state": str(settings.state_dir),
        "models": str(settings.state_dir / "models"),
        "backups": str(settings.backups_dir),
    }


def _line(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(name: str, value: object, plain: object) -> object:
    if value is None:
        return None
    return HIDDEN if is_secret(name) else plain
