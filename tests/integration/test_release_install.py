"""Installing an artefact with the real tool: a whole release or nothing, and never the same version twice over."""

from __future__ import annotations

import ensurepip
import json
import os
import resource
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from artefact.pins import requirements
from artefact.tarball import write_artefact
from artefact.wheelhouse import pins_of_wheels
from tests.support.releases.host import REPOSITORY
from tests.unit.release.artefacts import edited, release

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = f"{sys.version_info.major}.{sys.version_info.minor}.2"
PACKAGE = {"portfolio/cli.py": "VALUE = 1\n", "flows/deployments.py": ""}


def wheel(folder: Path, files: Mapping[str, str]) -> Path:
    """A package small enough to be installed in a moment, in the names that the tool tries to import."""
    info = "financeportfolio-1.0.dist-info"
    texts = {
        **files,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: financeportfolio\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nportfolio = portfolio.cli:main\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*texts, f"{info}/RECORD"])
    path = folder / "financeportfolio-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def artefact(folder: Path, files: Mapping[str, str] = PACKAGE, **of: Any) -> Path:
    ours = wheel(folder, files)
    pip = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    packed: dict[str, Path | bytes] = {f"wheels/{pip.name}": pip, f"wheels/{ours.name}": ours}
    packed["requirements.txt"] = requirements(pins_of_wheels([ours])).encode()
    here: dict[str, Any] = {"python": HERE, "machine": os.uname().machine}
    wanted = replace(release(), **here | of)
    return write_artefact(folder / "portfolio-1.0.tar", wanted, packed)


def install(root: Path, path: Path, largest_file: int | None = None) -> tuple[int, str]:
    def limit() -> None:
        if largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    (root / "etc/portfolio").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "portfolio.release", "--root", str(root), "install", str(path)],
        cwd=REPOSITORY, env=kept, capture_output=True, text=True, check=False, timeout=120, preexec_fn=limit,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("host")
    code, words = install(root, artefact(tmp_path_factory.mktemp("dist")))
    assert code == 0, words
    return root


def home(root: Path) -> Path:
    return root / "opt/portfolio/releases/1.0"


def test_release_stands_alone_at_its_final_path_and_waits_for_its_switch(installed):
    python = home(installed) / "venv/bin/python"
    seen = subprocess.run(
        [python, "-I", "-c", "import portfolio.cli, sys; print(portfolio.cli.__cached__, sys.prefix)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert Path(seen[0]).is_file()  # compiled before anybody needs it
    assert seen[1] == str(home(installed) / "venv")
    assert (home(installed) / "venv/bin/portfolio").read_text().startswith(f"#!{python}")
    assert not (home(installed) / "wheels").exists()
    waiting = installed / "var/lib/portfolio-release/candidate.json"
    assert json.loads(waiting.read_text())["version"] == "1.0"


def test_no_file_of_a_release_can_be_written(installed):
    files = [path for path in home(installed).rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if path.stat().st_mode & 0o222 and path.name != "manifest.json"] == []


def test_same_artefact_changes_nothing_when_it_is_installed_again(installed, tmp_path):
    before = home(installed).stat().st_mtime_ns
    code, words = install(installed, artefact(tmp_path))
    assert code == 0, words
    assert "is installed already" in words
    assert home(installed).stat().st_mtime_ns == before


def test_same_version_is_refused_when_its_content_is_another(installed, tmp_path):
    code, words = install(installed, artefact(tmp_path, PACKAGE | {"portfolio/more.py": ""}))
    assert code == 4
    assert "installed with other content" in words


def test_unfinished_release_is_made_anew(tmp_path):
    home(tmp_path).mkdir(parents=True)
    (home(tmp_path) / "half").touch()
    code, words = install(tmp_path, artefact(tmp_path))
    assert code == 0, words
    assert not (home(tmp_path) / "half").exists()


@pytest.mark.parametrize(
    ("of", "why"),
    [
        ({"python": "3.9.2"}, "is for Python 3.9"),
        ({"machine": "riscv"}, "on riscv"),
        ({"contract": 99}, "contract 99"),
    ],
)
def test_artefact_is_refused_when_it_is_not_for_this_host(tmp_path, of, why):
    code, words = install(tmp_path, artefact(tmp_path, **of))
    assert code == 2
    assert why in words
    assert not home(tmp_path).exists()


def test_artefact_is_refused_before_anything_is_written_when_the_disk_has_no_room(tmp_path):
    path = artefact(tmp_path)
    with_more = edited(path, lambda entry, data: (entry, _grown(data) if entry.name == "manifest.json" else data))
    code, words = install(tmp_path, with_more)
    assert code == 4
    assert "make room" in words
    assert not home(tmp_path).exists()


def _grown(manifest: bytes) -> bytes:
    return json.dumps(json.loads(manifest) | {"installed_bytes": 10**15}).encode()


def test_nothing_half_stays_when_the_disk_is_full_in_the_middle(tmp_path):
    code, words = install(tmp_path, artefact(tmp_path), largest_file=100_000)
    assert code == 1, words
    assert "File too large" in words
    assert not home(tmp_path).exists()
    assert install(tmp_path, artefact(tmp_path))[0] == 0


@pytest.mark.parametrize("broken", ["portfolio/cli.py", "flows/updating.py"])
def test_release_is_refused_when_it_cannot_be_imported(tmp_path, broken):
    code, words = install(tmp_path, artefact(tmp_path, PACKAGE | {broken: "import no_such_module\n"}))
    assert code == 1
    assert "No module named 'no_such_module'" in words
    assert not home(tmp_path).exists()


def test_wheel_is_refused_when_its_hash_is_not_the_one_pinned(tmp_path):
    """The manifest may have been written anew by whoever changed a wheel: pip looks again."""
    wanted = requirements(pins_of_wheels([wheel(tmp_path, PACKAGE)])).replace("sha256:", "sha256:0")[:-2] + "\n"
    pip = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    files: dict[str, Path | bytes] = {f"wheels/{pip.name}": pip, "requirements.txt": wanted.encode()}
    files["wheels/financeportfolio-1.0-py3-none-any.whl"] = tmp_path / "financeportfolio-1.0-py3-none-any.whl"
    spoilt = write_artefact(tmp_path / "spoilt.tar", replace(release(), python=HERE, machine=os.uname().machine), files)
    code, words = install(tmp_path, spoilt)
    assert code == 1
    assert "hash" in words.lower()
    assert not home(tmp_path).exists()
