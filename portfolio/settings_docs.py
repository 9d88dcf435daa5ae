"""`.env.example` and docs/ENVIRONMENT.md, written from the settings model so that they cannot drift from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.settings import Settings, is_secret, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ENV_EXAMPLE = Path(".env.example")
ENVIRONMENT = Path("docs/ENVIRONMENT.md")

BOUNDS = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))

ENV_HEAD = """\
# Copy to .env and take the # off the lines you change. Every line shows its default; secrets have none.
# Written by `make docs` from portfolio/settings.py: a test fails when the two drift.
"""

ENVIRONMENT_HEAD = """\
# Settings

Highest first: command line, environment, systemd credentials (`CREDENTIALS_DIRECTORY`), `.env`, `portfolio.toml`,
defaults. `.env` and `portfolio.toml` are read from the folder the command runs in. An odd value stops the start with
exit code 2; a key this release does not know warns, and fails `portfolio config validate --strict`.

    portfolio config show
    portfolio config validate

Two rules hold between settings: `MAX_SINGLE_POSITION` plus `MIN_CASH_BUFFER`, and `MAX_LEVERAGED_EXPOSURE` plus
`MIN_CASH_BUFFER`, must not exceed 1 (to switch a cap off, set it to 1 minus the buffer). Amounts have two decimals.

This page is written by `make docs` from `portfolio/settings.py`.

| key | default | rule | what it does |
|---|---|---|---|
"""


def env_example() -> str:
    """Return the text of `.env.example`."""
    return ENV_HEAD + "".join(
        f"\n# {field.description}\n#{key_of(name)}={as_written(field.default)}\n" for name, field in _fields()
    )


def environment_page() -> str:
    """Return the text of docs/ENVIRONMENT.md."""
    schemas = Settings.model_json_schema(by_alias=True)["properties"]
    return ENVIRONMENT_HEAD + "".join(
        f"| `{key_of(name)}` | {_shown_default(name, field)} | {_rule(schemas[key_of(name)])} | {field.description} |\n"
        for name, field in _fields()
    )


def as_written(value: Any) -> str:  # noqa: ANN401  # any default a setting may have
    """Return a value as a person writes it in `.env`."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    return iter(Settings.model_fields.items())


def _shown_default(name: str, field: FieldInfo) -> str:
    if field.default is None:
        return "none (secret)" if is_secret(name) else "none"
    return f"`{as_written(field.default)}`"


def _rule(schema: dict[str, Any]) -> str:
    """Put one property of the model's JSON schema into words."""
    schema = next((option for option in schema.get("anyOf", []) if option.get("type") != "null"), {}) | schema
    if "items" in schema:
        return "some of " + ", ".join(schema["items"]["enum"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "additionalProperties" in schema:
        return "JSON of ticker: weight, each 0 to 1, sum 1"
    if schema.get("type") == "string":
        return "a path" if schema.get("format") == "path" else "not empty"
    kind = "whole number" if schema.get("type") == "integer" else "number"
    return ", ".join([kind, *(f"{word} {schema[name]:g}" for name, word in BOUNDS if name in schema)])


def main() -> None:
    """Write both files, from the repository's root."""
    ENV_EXAMPLE.write_text(env_example(), "utf-8")
    ENVIRONMENT.write_text(environment_page(), "utf-8")


if __name__ == "__main__":
    main()
