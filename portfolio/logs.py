"""Logs: JSON lines on stderr, plain text on a terminal, the run's id on each line, no secret on any.

Comes in: the settings of one run. Goes out: handlers on the root logger. Never: stdout, which is a command's answer.
"""

from __future__ import annotations

import json
import logging
import sys
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from pythonjsonlogger.json import JsonFormatter

from portfolio.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_BYTES = 5_000_000  # with five kept: months of a daily job, and never a full disk
FILES_KEPT = 5
HIDDEN = "[secret]"
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "run_id", "taskName"}


class RunLine(logging.Filter):
    """Puts the run's id on every line."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark the record and keep it."""
        record.run_id = self._run_id
        return True


class WithoutSecrets(logging.Formatter):
    """Takes secrets out of the finished line: message, fields of any depth, traceback, whatever wrote it."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        plain = [secret for secret in secrets if secret]
        # In a JSON line a secret with a quote or an accent stands escaped.
        self._secrets = {*plain, *(json.dumps(secret)[1:-1] for secret in plain)}

    def format(self, record: logging.LogRecord) -> str:
        """Return the inner formatter's line without any secret."""
        line = self._inner.format(record)
        for secret in sorted(self._secrets, key=len, reverse=True):
            line = line.replace(secret, HIDDEN)
        return line


class TerminalFormatter(logging.Formatter):
    """One plain line for a person: time, level, what happened, its fields."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the standard library's name
        """Return the line, extra fields at its end."""
        fields = {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
        tail = " ".join(f"{name}={value}" for name, value in fields.items())
        return f"{super().formatMessage(record)}{'  ' + tail if tail else ''}"


def configure_logging(run_id: str, *, level: str, file: Path | None, secrets: Iterable[str] = ()) -> None:
    """Send this process's log lines to stderr, and to `file` when one is set.

    Raises SettingsError when the file cannot be written.
    """
    kept = tuple(secrets)
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(WithoutSecrets(TerminalFormatter() if sys.stderr.isatty() else _json_lines(), kept))
    handlers: list[logging.Handler] = [stream]
    if file:
        handlers.append(_rotating(file, kept))
    for handler in handlers:
        handler.addFilter(RunLine(run_id))
    logging.basicConfig(level=level, handlers=handlers, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every address it asks, those with keys in them too
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # what became of each start is in the fit's own table


def _json_lines() -> JsonFormatter:
    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s %(run_id)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )


def _rotating(file: Path, secrets: Iterable[str]) -> RotatingFileHandler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        message = f"LOG_FILE {file} cannot be written ({error.strerror}): choose a writable place or take it out."
        raise SettingsError(message) from error
    handler.setFormatter(WithoutSecrets(_json_lines(), secrets))
    return handler
