"""Logs: JSON lines with the run's id, plain text on a terminal, no secret anywhere, a file that rotates."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import SettingsError
from portfolio.logs import FILE_BYTES, FILES_KEPT, configure_logging

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "k3y-0f-s0me0ne"  # noqa: S105  # nobody's
PROLOGUE = f"""
import logging, sys, warnings
from pathlib import Path
from portfolio.logs import configure_logging
secret = {SECRET!r}
configure_logging("run-7", level="INFO", file=Path(sys.argv[1]) if len(sys.argv) > 1 else None, secrets=["", secret])
log = logging.getLogger("portfolio.somewhere")
"""


def logged(lines: str, *arguments: object, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """What a process of its own logs: the root logger is shared with pytest's here."""
    command = [sys.executable, "-c", PROLOGUE + lines, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=60, check=True)


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_line_is_json_with_run_id_time_level_logger_event_and_fields_on_stderr():
    ended = logged("log.info('prices %s', 'stored', extra={'rows_in': 12, 'where': 'raw'}); log.debug('unseen')")
    (line,) = lines_of(ended.stderr)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", str(line.pop("time")))
    assert line == {
        "level": "INFO",
        "logger": "portfolio.somewhere",
        "event": "prices stored",
        "run_id": "run-7",
        "rows_in": 12,
        "where": "raw",
    }
    assert ended.stdout == ""


def test_every_line_of_a_traceback_and_of_other_libraries_stands_in_one_json_line_with_the_run_id():
    ended = logged(
        "logging.getLogger('urllib3').warning('retrying')\n"
        "warnings.warn('old call')\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('failed')\n"
    )
    lines = lines_of(ended.stderr)
    assert [line["logger"] for line in lines] == ["urllib3", "py.warnings", "portfolio.somewhere"]
    assert {line["run_id"] for line in lines} == {"run-7"}
    assert "old call" in str(lines[1]["event"])
    assert "ZeroDivisionError: division by zero" in str(lines[2]["exc_info"])


LEAKS = {
    "the message": "log.info('key ' + secret)",
    "an argument": "log.info('key %s', secret)",
    "a mapping of arguments": "log.info('key %(key)s', {'key': secret})",
    "an object's text": "log.info(ValueError('key ' + secret))",
    "a field": "log.info('asked', extra={'url': 'https://some.where/?api_key=' + secret})",
    "a traceback": "try:\n    raise ValueError(secret)\nexcept ValueError:\n    log.exception('failed')",
    "a cause": (
        "try:\n    try:\n        raise OSError(secret)\n    except OSError as error:\n"
        "        raise ValueError('x') from error\nexcept ValueError:\n    log.exception('failed')"
    ),
    "a warning": "warnings.warn('key ' + secret)",
}


@pytest.mark.parametrize("where", LEAKS)
def test_secret_is_hidden_in_stream_and_file_when_it_stands_in(where, tmp_path):
    file = tmp_path / "log.jsonl"
    ended = logged(LEAKS[where], file)
    assert SECRET not in ended.stderr + file.read_text("utf-8")
    assert "[secret]" in ended.stderr
    assert "[secret]" in file.read_text("utf-8")
    assert lines_of(ended.stderr)[0]["run_id"] == "run-7"


def test_lines_are_plain_text_when_stderr_is_a_terminal(tmp_path):
    file = tmp_path / "log.jsonl"
    ours, theirs = pty.openpty()
    try:
        logged("log.warning('stale %s', secret, extra={'symbol': '^NDX'})", file, stderr=theirs)
        seen = os.read(ours, 10_000).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING stale \[secret\]  symbol=\^NDX\r\n", seen)
    assert lines_of(file.read_text("utf-8"))[0]["symbol"] == "^NDX"  # the file stays for machines


def test_file_rotates_and_no_more_than_five_old_ones_are_kept(tmp_path):
    file = tmp_path / "logs/log.jsonl"
    logged("for number in range(400):\n    log.info('x' * 100_000, extra={'number': number})", file)
    kept = sorted(file.parent.iterdir())
    assert [path.name for path in kept] == [
        "log.jsonl",
        *(f"log.jsonl.{number}" for number in range(1, FILES_KEPT + 1)),
    ]
    assert all(path.stat().st_size <= FILE_BYTES for path in kept)
    numbers = [line["number"] for path in reversed(kept) for line in lines_of(path.read_text("utf-8"))]
    assert numbers == list(range(400 - len(numbers), 400))  # the newest, in order, none lost between files


@pytest.mark.parametrize("obstacle", ["a folder", "a file for a folder"])
def test_log_file_is_refused_when_it_cannot_be_written(tmp_path: Path, obstacle: str):
    (tmp_path / "taken").touch()
    file = tmp_path if obstacle == "a folder" else tmp_path / "taken" / "log.jsonl"
    with pytest.raises(SettingsError, match=rf"LOG_FILE {file} cannot be written \(.+\): choose"):
        configure_logging("run-7", level="INFO", file=file)


NESTED = {
    "a nested field": "log.info('asked', extra={'params': {'api_key': secret}})",
    "a list field": "log.info('asked', extra={'parts': ['a', secret]})",
    "an exception as a field": "log.info('asked', extra={'error': ValueError(secret)})",
    "a path as a field": "log.info('asked', extra={'path': Path(secret)})",
}


@pytest.mark.parametrize("where", NESTED)
def test_secret_is_hidden_when_it_stands_in_a_field_that_is_no_text(where):
    assert SECRET not in logged(NESTED[where]).stderr
