"""Releases with one thing wrong each, packed like any other from a changed copy of the tree.

`python -m tests.support.bad_releases --into dist NAME...` writes `portfolio-<version>.tar` of each and prints its
version. Run it with the environment that `make package` uses.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MIGRATION = "portfolio/store/migrations/0002_{name}.sql"
ADDS_A_TABLE = "-- min_reader: {min_reader}\nCREATE TABLE core.of_the_next_release (noted VARCHAR);\n"
# True in the live release only: when it serves, not when it is a candidate.
WORST = "    return max((check.status for check in checks), default=Status.UNHEALTHY)"
UNHEALTHY_WHEN_SERVING = """\
    import os
    import sys

    serves = os.path.realpath("/opt/portfolio/current") == os.path.dirname(sys.prefix)
    return Status.UNHEALTHY if serves else max(check.status for check in checks)"""
FAILS_LIVE = """\
-- min_reader: 1
CREATE TABLE core.of_the_next_release (noted VARCHAR);
SELECT error('no such table in the live store') FROM duckdb_databases() WHERE path LIKE '/var/lib/portfolio/%'
    AND path NOT LIKE '%/candidate-check/%';
"""
CRASH = """\
    if "--register-only" not in (argv or sys.argv):
        raise SystemExit("this release's worker cannot start")"""


@dataclass(frozen=True, slots=True)
class Odd:
    """A release that is not like the others: its version, its new files, and lines put in after a line of a file."""

    version: str
    files: tuple[tuple[str, str], ...] = ()
    after: tuple[tuple[str, str, str], ...] = ()
    instead: tuple[tuple[str, str, str], ...] = ()


ODD = {
    "health-fails": Odd(
        "9.1+health.fails", instead=(("portfolio/health/verdict.py", WORST, "    return Status.UNHEALTHY"),)
    ),
    "health-fails-live": Odd(
        "9.2+health.fails.live", instead=(("portfolio/health/verdict.py", WORST, UNHEALTHY_WHEN_SERVING),)
    ),
    "worker-crashes": Odd(
        "9.3+worker.crashes",
        after=(
            (
                "flows/startup.py",
                '    """Prepare Prefect for a worker on a queue, and say what was done."""',
                CRASH,
            ),
        ),
    ),
    "migration-fails": Odd(
        "9.4+migration.fails",
        files=(
            (
                MIGRATION.format(name="broken"),
                "-- min_reader: 1\nALTER TABLE core.no_such_table ADD COLUMN x INTEGER;\n",
            ),
        ),
    ),
    "migration-fails-live": Odd(
        "9.10+migration.fails.live", files=((MIGRATION.format(name="broken_live"), FAILS_LIVE),)
    ),
    "signal-differs": Odd(
        "9.5+signal.differs",
        instead=(
            (
                "portfolio/allocation/policy.py",
                '        "WPEA.PA": 0.28,\n        "PE500.PA": 0.12,',
                '        "WPEA.PA": 0.26,\n        "PE500.PA": 0.14,',
            ),
        ),
    ),
    "smoke-fails": Odd(
        "9.6+smoke.fails",
        instead=(
            (
                "flows/smoke.py",
                "from __future__ import annotations",
                'from __future__ import annotations\n\nSMOKE = 1 / (__name__ == "__main__")',
            ),
        ),
    ),
    "disk-full": Odd("9.7+disk.full"),
    "migrates": Odd("9.8+migrates", files=((MIGRATION.format(name="additive"), ADDS_A_TABLE.format(min_reader=1)),)),
    "no-way-back": Odd(
        "9.9+no.way.back", files=((MIGRATION.format(name="additive"), ADDS_A_TABLE.format(min_reader=2)),)
    ),
}


def changed_copy(odd: Odd, folder: Path) -> Path:
    """Clone the repository's commit into the folder and make the release's changes."""
    copy = folder / "tree"
    subprocess.run(["/usr/bin/git", "clone", "-q", "--shared", str(REPOSITORY), str(copy)], check=True)
    for name, text in odd.files:
        (copy / name).write_text(text, "utf-8")
    for name, line, added in odd.after:
        _replace(copy / name, line, f"{line}\n{added}")
    for name, old, new in odd.instead:
        _replace(copy / name, old, new)
    subprocess.run(["/usr/bin/git", "-C", str(copy), "add", "--all"], check=True)
    return copy


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    if text.count(old) != 1:
        message = f"{file.name} has {old!r} {text.count(old)} times, not once: the bad release must be written anew."
        raise SystemExit(message)
    file.write_text(text.replace(old, new), "utf-8")


def pack(name: str, into: Path) -> str:
    """Pack one of the releases and return its version."""
    from artefact.__main__ import _pack_release  # noqa: PLC0415  # not there on the controller, which asks for versions
    from artefact.source import exported  # noqa: PLC0415

    odd = ODD[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = changed_copy(odd, Path(folder))
        with exported(copy, odd.version, allow_dirty=True) as source:
            _pack_release(source, into)
    return odd.version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=REPOSITORY / "dist")
    parser.add_argument("names", nargs="*", choices=[[], *ODD], default=[])
    asked = parser.parse_args()
    for name in asked.names or ODD:
        sys.stdout.write(f"{pack(name, asked.into)}\n")


if __name__ == "__main__":
    main()
