"""The command at its outer edge: help, versions, wrong words, closed pipes, and what it costs to ask."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import portfolio as package
from flows.processes import wait_until
from portfolio.cli import COMMANDS
from portfolio.errors import ExitCode
from portfolio.store.connection import open_writer
from portfolio.store.lock import lock_path, writer_lock
from portfolio.store.migrate import create_store
from portfolio.store.publish import publish
from tests.support.command import COMMAND, environment, portfolio

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAVY = frozenset(
    {"pandas", "numpy", "duckdb", "scipy", "sklearn", "hmmlearn", "matplotlib", "exchange_calendars", "prefect"}
)


def imported_by(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run a command and name the top modules that Python imported for it."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "portfolio", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return ended, {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=["portfolio", *COMMANDS])
def test_help_shows_an_example_and_every_exit_code_and_imports_nothing_heavy(tmp_path: Path, words: Sequence[str]):
    ended, modules = imported_by(tmp_path, *words, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"usage: {' '.join(('portfolio', *words))}")
    example = ended.stdout.partition("example:\n")[2].split("\n")[0].strip()
    assert example.startswith(" ".join(("portfolio", *words)))
    for code in ExitCode:
        assert f"  {code.value} " in ended.stdout.partition("exit codes:")[2]
    assert {"argparse", "portfolio"} <= modules
    assert not modules & HEAVY
    assert list(tmp_path.iterdir()) == []


def test_help_of_the_command_names_every_command(tmp_path: Path):
    told = portfolio(tmp_path, "--help").stdout
    assert all(f"  {name} " in told for name in COMMANDS)


def test_health_answers_without_importing_pandas(tmp_path: Path):
    path = tmp_path / "data/sample/portfolio.duckdb"
    create_store(path, "sample")
    with open_writer(path, "sample") as store:
        publish(store)
    ended, modules = imported_by(tmp_path, "health", "--json")
    assert ended.returncode == ExitCode.FAILED  # nothing was ever decided
    assert '"status": "UNHEALTHY"' in ended.stdout
    assert "duckdb" in modules
    assert not modules & {"pandas", "numpy", "exchange_calendars"}


def test_version_is_the_package_s(tmp_path: Path):
    ended = portfolio(tmp_path, "--version")
    assert (ended.returncode, ended.stdout) == (0, f"portfolio {package.__version__}\n")


WRONG = {
    "nothing": ((), "required: COMMAND"),
    "an unknown command": (("sing",), "invalid choice: 'sing'"),
    "an option for a command": (("--json",), "required: COMMAND"),
    "an unknown option": (("run", "--fast"), "unrecognized arguments: --fast"),
    "an unknown source": (("run", "--source", "moon"), "invalid choice: 'moon'"),
    "an endless wait": (("publish", "--wait", "inf"), "not between 0 and 86400 seconds"),
    "a wait of words": (("publish", "--wait", "long"), "'long' is not a number of seconds"),
    "no action": (("config",), "required: action"),
    "an unknown action": (("ledger", "burn"), "invalid choice: 'burn'"),
    "an import of nothing": (("ledger", "import"), "`ledger import` takes one file"),
    "an instant of words": (("signal", "--as-of", "noon"), "--as-of 'noon' is not an instant"),
    "an instant without a zone": (("signal", "--as-of", "2018-06-29T07:30"), "has no time zone"),
    "an instant ahead": (("signal", "--as-of", "2030-01-01"), "lies ahead of the clock"),
    "a day of words": (("update", "--since", "May"), "--since 'May' is not a day"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_ends_with_two_and_says_what_is_wrong_when_given(tmp_path: Path, case: str):
    arguments, told = WRONG[case]
    ended = portfolio(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (ExitCode.USAGE, "")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.rglob("*.duckdb"))


def test_command_ends_quietly_when_the_reader_of_its_answer_has_gone(tmp_path: Path):
    started = subprocess.Popen(
        [COMMAND, "config", "show"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    told = started.stderr.read()
    started.stderr.close()
    assert (started.wait(60), told) == (ExitCode.FAILED, "")


def has_open(pid: int, path: Path) -> bool:
    return path.resolve() in {link.resolve() for link in Path(f"/proc/{pid}/fd").iterdir()}


def test_command_says_what_stays_when_it_is_stopped_from_the_keyboard(tmp_path: Path):
    path = tmp_path / "data/sample/portfolio.duckdb"
    create_store(path, "sample")
    with writer_lock(path):
        started = subprocess.Popen(
            [COMMAND, "publish", "--wait", "60"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What a shell starts with `&` ignores it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # the child execs at once
        )
        assert wait_until(lambda: has_open(started.pid, lock_path(path)), 60)
        started.send_signal(signal.SIGINT)
        _, told = started.communicate(timeout=60)
    assert started.returncode == 128 + signal.SIGINT
    assert told == ("portfolio publish: stopped from the keyboard; what was committed stays, run it again.\n")
