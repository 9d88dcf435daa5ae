"""The documents keep their word: every command they show runs, and the output they show is what comes out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import environment

ROOT = Path(__file__).parents[2]
SHOWN = re.compile(r"^ {4}(portfolio [^#\n]*?)\s*(?:#.*)?$", re.MULTILINE)
README = (ROOT / "README.md").read_text("utf-8")


def commands_shown() -> list[tuple[str, str]]:
    """Every `portfolio` command in an indented block of the documents, README first, in reading order."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [(page.name, command) for page in pages for command in SHOWN.findall(page.read_text("utf-8"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder as a user's clone is: the documents are there, settings and data are not."""
    place = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "docs", place / "docs")
    shutil.copy(ROOT / "docs" / "ledger-example.csv", place / "my-ledger.csv")
    return place


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("PORTFOLIO_")}
    words = shlex.split(command)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=ours | {"PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def served(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that answers until it is told to stop, and stop it once it has told where."""
    settings = {"DATA_DIR": str(folder / "data"), "PORTFOLIO_WEB_PORT": "0"}
    words = [sys.executable, "-m", *shlex.split(command)]
    with subprocess.Popen(
        words, cwd=folder, env=environment(ROOT, settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        told = process.stdout.readline()
        process.terminate()
        _, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, told, errors)


def test_documents_show_commands_to_run():
    shown = [command for _, command in commands_shown()]
    assert "portfolio run" in shown
    assert len(shown) >= 15


def test_every_command_shown_ends_well_in_reading_order(folder):
    failed = []
    for page, command in commands_shown():
        done = served(command, folder) if command.startswith("portfolio serve") else run(command, folder)
        if done.returncode != 0:
            failed.append(f"{page}: {command}: exit {done.returncode}: {done.stderr[-400:]}")
    assert not failed, "\n".join(failed)


def test_output_shown_in_the_readme_is_what_the_first_run_prints(tmp_path):
    printed = run("portfolio run", tmp_path).stdout
    block = README.split("## What `make run` prints")[1].split("| word | meaning |")[0]
    lines = [line[4:].rstrip() for line in block.splitlines() if line.startswith("    ") and "..." not in line]
    assert len(lines) > 10
    # The model's id hashes every digit of the fit, the last of which differ between processors.
    shown = [re.sub(r"hmm-[0-9a-f]{12}", "hmm-", line) for line in lines]
    missing = [line for line in shown if line and line not in re.sub(r"hmm-[0-9a-f]{12}", "hmm-", printed)]
    assert not missing, f"not printed: {missing}\nprinted:\n{printed}"


def test_make_targets_shown_exist():
    make = shutil.which("make") or "make"
    help_text = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^ +make ([a-z-]+)", help_text, re.MULTILINE))
    assert {"setup", "run", "test", "check", "bench", "clean"} <= targets
    shown = set(re.findall(r"`?make ([a-z-]+)", README)) - {"help"}
    assert shown <= targets


def test_links_between_documents_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not dead


def test_release_has_one_source_of_its_version():
    from portfolio import __version__  # noqa: PLC0415  # read where it is compared

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
