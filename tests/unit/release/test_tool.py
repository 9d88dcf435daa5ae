"""The release tool stands outside the releases: the host's own Python must be enough for it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from artefact.tool import PARTS, write_tool

REPOSITORY = Path(__file__).parents[3]
MODULES = [*PARTS, *(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "portfolio/release").glob("*.py"))]


@pytest.mark.parametrize("module", MODULES)
def test_tool_imports_itself_and_the_standard_library_only(module):
    for name in imported(REPOSITORY / module):
        top = name.partition(".")[0]
        inside = {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"}
        assert top in sys.stdlib_module_names or inside & set(MODULES), f"{module} imports {name}"


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "portfolio.release":
            names |= {f"portfolio.release.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


def test_tool_runs_as_one_file_without_any_package(tmp_path):
    tool = write_tool(REPOSITORY, tmp_path / "portfolio-release")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", tool, "--root", tmp_path, "status"],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PREFECT_API_URL": "http://127.0.0.1:1/api"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.stdout.startswith("No release serves."), ended.stderr
    assert tool.read_bytes().startswith(b"#!/usr/bin/python3\n")
    assert tool.stat().st_mode & 0o777 == 0o755


def test_tool_is_the_same_bytes_when_it_is_packed_again(tmp_path):
    assert write_tool(REPOSITORY, tmp_path / "a").read_bytes() == write_tool(REPOSITORY, tmp_path / "b").read_bytes()
