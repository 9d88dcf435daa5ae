from __future__ import annotations

import copy
import hashlib
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode
from portfolio.release.failures import ArtefactError
from portfolio.release.manifest import parsed
from portfolio.release.unpack import opened
from tests.unit.release.artefacts import artefact, edited

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(path: Path, into: Path) -> list[str]:
    with opened(path) as found:
        found.unpack(into)
    return sorted(str(file.relative_to(into)) for file in into.rglob("*") if file.is_file())


def test_artefact_is_the_same_bytes_when_it_is_packed_again(tmp_path):
    first = hashlib.sha256(artefact(tmp_path).read_bytes()).hexdigest()
    assert hashlib.sha256(artefact(tmp_path).read_bytes()).hexdigest() == first


def test_whole_artefact_is_unpacked(tmp_path):
    assert unpacked(artefact(tmp_path), tmp_path / "to") == ["requirements.txt", "units/portfolio.target"]


def flipped(entry: tarfile.TarInfo, data: bytes):
    return entry, data.replace(b"[Unit]", b"[Evil]") if entry.name.startswith("units") else data


def longer(entry: tarfile.TarInfo, data: bytes):
    return entry, data + b"\n" if entry.name.startswith("units") else data


def without(entry: tarfile.TarInfo, data: bytes):
    return None if entry.name.startswith("units") else (entry, data)


def renamed(entry: tarfile.TarInfo, data: bytes):
    if entry.name.startswith("units"):
        entry.name = "../../etc/cron.d/x"
    return entry, data


def as_link(entry: tarfile.TarInfo, data: bytes):
    if entry.name.startswith("units"):
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/shadow"
        return entry, b""
    return entry, data


def without_manifest(entry: tarfile.TarInfo, data: bytes):
    return None if entry.name == "manifest.json" else (entry, data)


@pytest.mark.parametrize("change", [flipped, longer, without, renamed, as_link, without_manifest])
def test_artefact_is_refused_when_it_was_changed(tmp_path, change):
    with pytest.raises(ArtefactError, match="is damaged or was changed") as caught:
        unpacked(edited(artefact(tmp_path), change), tmp_path / "to")
    assert caught.value.exit_code == ExitCode.USAGE == 2
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize("kept", [0, 100, 600, 1600, 3000])
def test_artefact_is_refused_when_it_was_cut_short(tmp_path, kept):
    path = artefact(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ArtefactError):
        unpacked(path, tmp_path / "to")


def test_artefact_is_asked_for_when_there_is_none(tmp_path):
    with pytest.raises(ArtefactError, match="make package"):
        unpacked(tmp_path / "no.tar", tmp_path / "to")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "../1.0"),
        ("version", ""),
        ("version", ".1"),
        ("kind", "other"),
        ("format", 2),
        ("schema", {"current": 1}),
        ("files", {"../x": {"size": 1, "sha256": "0" * 64}}),
        ("files", {"wheels/../../x": {"size": 1, "sha256": "0" * 64}}),
        ("files", {"/etc/passwd": {"size": 1, "sha256": "0" * 64}}),
        ("files", {"wheels/a.whl": {"size": 1, "sha256": "short"}}),
        ("files", []),
        ("unknown", 1),
    ],
)
def test_manifest_is_refused_when_it_is_not_as_the_tool_writes_it(tmp_path, field, value):
    with opened(artefact(tmp_path)) as found, tarfile.open(found.path) as tar:
        document = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    spoilt = copy.deepcopy(document) | {field: value}
    assert parsed(json.dumps(document)).version == "1.0"
    with pytest.raises(ArtefactError):
        parsed(json.dumps(spoilt))
