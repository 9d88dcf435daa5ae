"""The command as a user runs it: another process, a folder of its own, an environment without anybody's settings."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = Path(sys.executable).with_name("portfolio")
# What a process needs of ours: programs, one thread for the fits, and being counted when coverage is taken.
KEPT = ("PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LONGEST_S = 120


def portfolio(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `portfolio ARGUMENTS` in the folder and return how it ended, what it printed and what it logged."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def environment(folder: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment whose home is the folder, and the settings given."""
    kept = {key: value for key, value in os.environ.items() if key in KEPT or key.startswith("COVERAGE_")}
    return kept | {"HOME": str(folder), "LANG": "C.UTF-8"} | dict(settings or {})


def uncounted(variables: Mapping[str, str]) -> dict[str, str]:
    """Without what takes coverage: of a process whose forks end by os._exit it would cost time and be lost."""
    return {key: value for key, value in variables.items() if not key.startswith("COVERAGE_")}


def document(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON document on stdout; a second one, or a word beside it, is an error."""
    return json.loads(ended.stdout)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under the folder by its name, the writer's lock aside, which any try to write touches."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
