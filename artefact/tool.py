"""The release tool as one executable file that needs nothing but the host's own Python."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# What the tool is made of. A test walks its imports: all of them are these or the standard library.
PARTS = (
    "portfolio/__init__.py",
    "portfolio/atomic.py",
    "portfolio/errors.py",
    "portfolio/processes.py",
    "portfolio/store/__init__.py",
    "portfolio/store/lock.py",
    "portfolio/systemd.py",
)
SHEBANG = b"#!/usr/bin/python3\n"
START = "import sys\n\nfrom portfolio.release.cli import main\n\nsys.exit(main())\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_tool(source: Path, path: Path) -> Path:
    """Write the zipapp from a source tree."""
    files = {name: (source / name).read_text("utf-8") for name in PARTS}
    for module in sorted((source / "portfolio/release").glob("*.py")):
        files[str(module.relative_to(source))] = module.read_text("utf-8")
    files["__main__.py"] = START
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SHEBANG + packed.getvalue())
    path.chmod(0o755)
    return path
