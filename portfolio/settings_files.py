"""The two settings files, `.env` and `portfolio.toml`, read from the folder the command runs in."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from portfolio.errors import SettingsError

ENV_FILE = ".env"
TOML_FILE = "portfolio.toml"


def env_file_values() -> dict[str, str | None]:
    """Return what `.env` says, nothing when there is none."""
    return dotenv_values(ENV_FILE, encoding="utf-8") if Path(ENV_FILE).is_file() else {}


def toml_values() -> dict[str, Any]:
    """Return what `portfolio.toml` says, nothing when there is none."""
    path = Path(TOML_FILE)
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


def _ensure_env_lines_parse() -> None:
    """Refuse what python-dotenv would skip: a limit that is silently not read is the worst setting."""
    if not Path(ENV_FILE).is_file():
        return
    with Path(ENV_FILE).open(encoding="utf-8") as stream:
        for binding in parse_stream(stream):
            if binding.error or (binding.key and binding.value is None):
                message = (
                    f"Settings file {ENV_FILE}, line {binding.original.line}: not KEY=value "
                    "(the line is not shown, it may hold a secret). Mend or remove the line."
                )
                raise SettingsError(message)


def credentials_folder() -> str | None:
    """Return systemd's folder of credentials, None when there is none.

    Raises SettingsError when it is named and cannot be read, or a credential in it is not text.
    """
    name = os.environ.get("CREDENTIALS_DIRECTORY")
    if not name:
        return None
    try:
        for path in Path(name).iterdir():
            if path.is_file():
                path.read_text("utf-8")
    except OSError as error:
        message = f"CREDENTIALS_DIRECTORY {name} cannot be read ({error.strerror}): mend its rights, or unset it."
        raise SettingsError(message) from error
    except UnicodeDecodeError as error:
        message = f"A credential in CREDENTIALS_DIRECTORY {name} is not UTF-8 text: write it again."
        raise SettingsError(message) from error
    return name


def _ensure_file_or_nothing(name: str) -> None:
    """Refuse a folder, or a link to nothing, in a settings file's place: its limits would silently be the defaults."""
    path = Path(name)
    if (path.exists() or path.is_symlink()) and not path.is_file():
        message = f"Settings file {name} is not a file: a folder, or a link that leads nowhere. Mend or remove it."
        raise SettingsError(message)


def ensure_files_readable() -> None:
    """Raise SettingsError when a file is there and cannot be read or understood as a whole."""
    for name, read in ((ENV_FILE, _ensure_env_lines_parse), (TOML_FILE, toml_values)):
        try:
            _ensure_file_or_nothing(name)
            read()
        except OSError as error:
            message = f"Settings file {name} cannot be read ({error.strerror}): mend its permissions or remove it."
            raise SettingsError(message) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            message = f"Settings file {name} cannot be understood ({error}): compare it with .env.example and mend it."
            raise SettingsError(message) from error
