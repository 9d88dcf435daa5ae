"""Which release a process says it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from portfolio import __version__
from portfolio.running import Running, read_running

if TYPE_CHECKING:
    from pathlib import Path


def host(root: Path, serving: str = "green") -> Path:
    """A host with release 1.2.3 in both slots; its environment's folder is returned."""
    venv = root / "releases" / "1.2.3" / "venv"
    venv.mkdir(parents=True)
    (venv.parent / "manifest.json").write_text(json.dumps({"version": "1.2.3", "commit": "abc", "kind": "portfolio"}))
    (root / "slots").mkdir()
    for slot in ("blue", "green"):
        (root / "slots" / slot).symlink_to("../releases/1.2.3")
    (root / "current").symlink_to(f"slots/{serving}")
    return venv


def test_release_of_a_development_tree_is_the_package_s_version_without_a_slot(tmp_path):
    assert read_running(None, tmp_path / "venv") == Running(__version__)
    assert read_running("blue", tmp_path / "venv") == Running(__version__, "blue")


def test_release_on_a_host_is_its_manifest_s_and_its_slot_the_serving_one(tmp_path):
    assert read_running(None, host(tmp_path)) == Running("1.2.3", "green", "abc")
    assert str(read_running(None, tmp_path / "current" / "venv")) == "1.2.3 in green"


def test_slot_is_the_one_given_when_a_unit_gives_one(tmp_path):
    assert read_running("blue", host(tmp_path)).slot == "blue"


def test_slot_is_empty_when_another_release_serves(tmp_path):
    venv = host(tmp_path)
    (tmp_path / "releases" / "1.3.0").mkdir()
    (tmp_path / "slots" / "green").unlink()
    (tmp_path / "slots" / "green").symlink_to("../releases/1.3.0")
    assert read_running(None, venv).slot == ""


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_release_is_the_package_s_version_when_the_manifest_is_damaged(tmp_path, text):
    venv = host(tmp_path)
    (venv.parent / "manifest.json").write_text(text)
    assert read_running(None, venv).version == __version__
