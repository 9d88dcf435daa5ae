"""`make package`: the release, the environment of Prefect's server, and the release tool, into `dist/`."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from artefact import target
from artefact.pins import pins_of, requirements
from artefact.source import exported
from artefact.tarball import write_artefact
from artefact.tool import write_tool
from artefact.wheelhouse import pins_of_wheels, wheelhouse
from portfolio.release.manifest import CONTRACT, Release, Schema
from portfolio.store.schema import packaged_migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from artefact.source import Source

REPOSITORY = Path(__file__).parent.parent
CACHE = REPOSITORY / "build/wheelhouse"


def main(argv: Sequence[str] | None = None) -> int:
    """Pack everything and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m artefact", description=__doc__)
    parser.add_argument("--version", help="the release's version (default: the package's own)")
    parser.add_argument("--allow-dirty", action="store_true", help="pack changes that no commit has, and say so")
    parser.add_argument("--into", type=Path, default=REPOSITORY / "dist", help="where the files go")
    arguments = parser.parse_args(argv)
    try:
        with exported(REPOSITORY, arguments.version or None, allow_dirty=arguments.allow_dirty) as source:
            for path in packed(source, arguments.into):
                print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")  # noqa: T201  # the answer
    except (ValueError, RuntimeError) as error:
        print(f"make package: {error}", file=sys.stderr)  # noqa: T201  # as above
        return 1
    return 0


def packed(source: Source, into: Path) -> Iterator[Path]:
    """Write the three files."""
    into.mkdir(parents=True, exist_ok=True)
    yield write_tool(source.folder, into / "portfolio-release")
    yield _pack_server(source, into)
    yield _pack_release(source, into)


def _pack_release(source: Source, into: Path) -> Path:
    with tempfile.TemporaryDirectory() as name:
        wheels = Path(name)
        _gather("runtime.txt", source, wheels)
        source.wheel(wheels)
        release = _release("portfolio", source, "runtime.txt", source.version)
        units = {f"units/{path.name}": path for path in (source.folder / "systemd").glob("*") if path.is_file()}
        return write_artefact(into / f"portfolio-{source.version}.tar", release, units | _installable(wheels))


def _pack_server(source: Source, into: Path) -> Path:
    with tempfile.TemporaryDirectory() as name:
        wheels = Path(name)
        _gather("prefect-server.txt", source, wheels)
        release = _release("prefect-server", source, "prefect-server.txt", "")
        return write_artefact(into / f"prefect-server-{release.version}.tar", release, _installable(wheels))


def _gather(lock: str, source: Source, into: Path) -> None:
    """Bring the wheels of a lock, and of pip, which installs them, into a folder."""
    for name in (lock, "installer.txt"):
        pins = pins_of((source.folder / "requirements" / name).read_text("utf-8"))
        for wheel in wheelhouse(pins, CACHE).iterdir():
            shutil.copyfile(wheel, into / wheel.name)


def _installable(wheels: Path) -> dict[str, Path | bytes]:
    found = sorted(wheels.glob("*.whl"))
    pins = [pin for pin in pins_of_wheels(found) if pin.name != "pip"]
    return {f"wheels/{wheel.name}": wheel for wheel in found} | {"requirements.txt": requirements(pins).encode()}


def _release(kind: str, source: Source, lock: str, version: str) -> Release:
    lock_sha256 = hashlib.sha256((source.folder / "requirements" / lock).read_bytes()).hexdigest()
    steps = packaged_migrations()
    return Release(
        kind=kind,
        version=version or lock_sha256[:12],
        commit=source.commit,
        dirty=source.dirty,
        lock_sha256=lock_sha256,
        contract=CONTRACT,
        schema=Schema(steps[-1].version, max(step.min_reader for step in steps)),
        python=target.PYTHON,
        machine=target.MACHINE,
        installed_bytes=0,
        files={},
    )


if __name__ == "__main__":
    sys.exit(main())
