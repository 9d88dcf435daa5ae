"""The machine that molecule booted, and the journal's end beside every failure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.machine.place import Place, place
from tests.support.machine.shell import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from _pytest.runner import TestReport
    from _pytest.terminal import TerminalReporter

JOURNAL = "journalctl --no-pager -o short-iso -n 60 -u 'portfolio*' -u prefect-server"


@pytest.fixture(scope="session")
def machine() -> Place:
    return place()


@pytest.fixture(scope="session")
def figure() -> Callable[[str, object], None]:
    """Note a figure that was seen: printed at the end, and kept beside the machine for people."""

    def note(name: str, value: object) -> None:
        kept = {"at": round(time.time(), 1), "name": name, "value": value}
        with _figures().open("a") as lines:
            lines.write(json.dumps(kept) + "\n")

    return note


def _figures() -> Path:
    return place().build / f"{place().name}-figures.jsonl"


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if _figures().exists():
        terminalreporter.section("figures seen on the machine")
        for line in _figures().read_text().splitlines():
            seen = json.loads(line)
            terminalreporter.write_line(f"{seen['name']}: {seen['value']}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, TestReport, TestReport]:
    report = yield
    if report.failed and "machine" in getattr(item, "fixturenames", ()):
        report.sections.append(("journal of the machine", attempt(place(), JOURNAL).stdout))
    return report
