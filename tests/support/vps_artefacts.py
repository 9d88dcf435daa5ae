"""What the machine's tests install: two versions of this commit, and releases with one thing wrong each, into `dist/`.

`python -m tests.support.vps_artefacts --proof short|full`
"""

from __future__ import annotations

import argparse
import sys

from artefact.__main__ import REPOSITORY
from artefact.__main__ import main as package
from tests.support.bad_releases import ODD, pack
from tests.support.machine.proof import FIRST, SECOND, SHORT_BAD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proof", choices=["short", "full"], default="short")
    parser.add_argument("--allow-dirty", action="store_true", help="pack changes that no commit has")
    asked = parser.parse_args()
    for version in (FIRST, SECOND):
        code = package(["--version", version, *(["--allow-dirty"] if asked.allow_dirty else [])])
        if code:
            sys.exit(code)
    for name in SHORT_BAD if asked.proof == "short" else ODD:
        sys.stdout.write(f"{pack(name, REPOSITORY / 'dist')}\n")


if __name__ == "__main__":
    main()
