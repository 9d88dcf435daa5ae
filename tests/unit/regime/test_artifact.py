"""Model folders: the round trip to the bit, and each damage refused with what to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.errors import ModelError
from portfolio.regime.artifact import read_manifest, read_model, read_model_at, write_model
from portfolio.regime.model import ARRAYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from portfolio.regime.hmm import Fit


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_model(folder: Path, **changes: object) -> None:
    """Change the model, and make the checksum right for it."""
    change(folder / "model.json", **changes)
    checksum = hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()
    change(folder / "manifest.json", checksums={"model.json": checksum})


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())}


def test_model_comes_back_to_the_bit(fitted: Fit, tmp_path: Path):
    folder = write_model(tmp_path / "models", fitted)

    assert folder == tmp_path / "models" / fitted.model.model_id
    for back in (read_model(tmp_path / "models", fitted.model.model_id), read_model_at(folder)):
        assert all(getattr(back, name).tobytes() == getattr(fitted.model, name).tobytes() for name in ARRAYS)
        assert back.model_id == fitted.model.model_id
        assert (back.fit_start, back.fit_end) == (fitted.model.fit_start, fitted.model.fit_end)


def test_manifest_says_where_the_model_comes_from(fitted: Fit, tmp_path: Path):
    manifest = read_manifest(write_model(tmp_path, fitted, {"fitted_at": "2019-01-02T06:00:00+00:00"}))

    assert manifest["schema"] == 1
    assert manifest["fitted_at"] == "2019-01-02T06:00:00+00:00"
    assert manifest["data_hash"] == fitted.model.data_hash
    assert manifest["state_order"] == ["calm", "stressed"]
    assert manifest["window"]["rows"] == 1500
    assert [gate["name"] for gate in manifest["gates"]] == [gate.name for gate in fitted.gates]
    assert len(manifest["starts"]) == 4
    assert manifest["spec"]["seed"] == 7
    assert {"python", "hmmlearn", "numpy"} < set(manifest["versions"])


def test_extras_never_hide_what_the_reader_checks(fitted: Fit, tmp_path: Path):
    assert read_manifest(write_model(tmp_path, fitted, {"schema": 99}))["schema"] == 1


def test_writing_twice_changes_nothing(fitted: Fit, tmp_path: Path):
    before = snapshot(write_model(tmp_path, fitted))

    folder = write_model(tmp_path, fitted, {"fitted_at": "later"})

    assert snapshot(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == [fitted.model.model_id]


def test_writing_again_mends_a_damaged_folder(fitted: Fit, tmp_path: Path):
    folder = write_model(tmp_path, fitted)
    (folder / "model.json").write_bytes(b"{}")

    write_model(tmp_path, fitted)

    assert read_model(tmp_path, fitted.model.model_id).model_id == fitted.model.model_id
    assert [path.name for path in tmp_path.iterdir()] == [fitted.model.model_id]


def test_writing_refuses_when_the_disk_does(fitted: Fit, tmp_path: Path):
    (tmp_path / "models").write_text("a file where a folder is wanted")

    with pytest.raises(ModelError, match=r"cannot be written.*check space and rights"):
        write_model(tmp_path / "models", fitted)


def test_nothing_is_left_behind_when_the_manifest_cannot_be_written(fitted: Fit, tmp_path: Path):
    with pytest.raises(TypeError):
        write_model(tmp_path, fitted, {"fitted_at": object()})

    assert list(tmp_path.iterdir()) == []


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def no_model(folder: Path) -> None:
    (folder / "model.json").unlink()


def cut_short(folder: Path) -> None:
    raw = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(raw[: len(raw) // 2])


def one_digit_changed(folder: Path) -> None:
    raw = bytearray((folder / "model.json").read_bytes())
    place = raw.index(b"transmat_") + 30
    raw[place] = ord("7") if raw[place] != ord("7") else ord("8")
    (folder / "model.json").write_bytes(raw)


def not_text(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")


def a_list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[1]")


def without_schema(folder: Path) -> None:
    change(folder / "manifest.json", schema=None)


def without_checksums(folder: Path) -> None:
    change(folder / "manifest.json", checksums=None)


def without_means(folder: Path) -> None:
    change_model(folder, means_=None)


def of_another_kind(folder: Path) -> None:
    (folder / "model.json").write_text('{"jump_penalty": 50}')
    change_model(folder)


def with_ragged_means(folder: Path) -> None:
    change_model(folder, means_=[[1.0], [1.0, 2.0]])


def with_wrong_probabilities(folder: Path) -> None:
    change_model(folder, transmat_=[[0.9, 0.2], [0.1, 0.9]])


def with_swapped_numbers(folder: Path) -> None:
    change_model(folder, startprob_=[0.25, 0.75])


DAMAGES = [
    (no_manifest, "readable file"),
    (no_model, "readable file"),
    (cut_short, "must be JSON"),
    (one_digit_changed, "checksum of the manifest"),
    (not_text, "must be JSON"),
    (a_list, "JSON object; seen: list"),
    (without_schema, "schema number 1"),
    (without_checksums, "model_id and checksums"),
    (without_means, "parts of a model|finite numbers"),
    (of_another_kind, "parts of a model"),
    (with_ragged_means, "parts of a model"),
    (with_wrong_probabilities, "sum to 1"),
    (with_swapped_numbers, "model of its manifest"),
]


@pytest.mark.parametrize(("damage", "rule"), DAMAGES)
def test_reading_refuses_a_damaged_or_foreign_folder_and_says_what_to_do(
    fitted: Fit, tmp_path: Path, damage: Callable[[Path], None], rule: str
):
    folder = write_model(tmp_path, fitted)
    damage(folder)

    with pytest.raises(ModelError, match=rule) as refused:
        read_model(tmp_path, fitted.model.model_id)
    assert str(folder) in str(refused.value)
    assert "portfolio run" in str(refused.value)


def test_reading_refuses_a_newer_schema_without_advice_to_delete(fitted: Fit, tmp_path: Path):
    folder = write_model(tmp_path, fitted)
    change(folder / "manifest.json", schema=2)

    with pytest.raises(ModelError, match=r"schema 2; this release reads up to 1.*newer release") as refused:
        read_model(tmp_path, fitted.model.model_id)
    assert "delete" not in str(refused.value)


def test_reading_refuses_a_folder_named_after_another_model(fitted: Fit, tmp_path: Path):
    write_model(tmp_path, fitted).rename(tmp_path / "hmm-000000000000")

    with pytest.raises(ModelError, match="named after"):
        read_model(tmp_path, "hmm-000000000000")


def test_reading_an_override_allows_any_folder_name(fitted: Fit, tmp_path: Path):
    folder = write_model(tmp_path, fitted).rename(tmp_path / "mine")

    assert read_model_at(folder).model_id == fitted.model.model_id


@pytest.mark.parametrize(
    "model_id", ["", "../hmm-000000000000", "hmm-00000000000", "HMM-000000000000", "hmm-00000000000g\n"]
)
def test_reading_refuses_what_is_no_model_id(tmp_path: Path, model_id: str):
    with pytest.raises(ModelError, match="no model id"):
        read_model(tmp_path, model_id)


def test_reading_refuses_a_model_that_is_not_there(tmp_path: Path):
    with pytest.raises(ModelError, match="readable file"):
        read_model(tmp_path, "hmm-000000000000")


def test_manifest_is_plain_json_when_a_start_failed(fitted: Fit, tmp_path: Path):
    failed = replace(fitted.starts[1], log_likelihood=None, converged=False, failure="a state collapsed")

    manifest: dict[str, Any] = read_manifest(write_model(tmp_path, replace(fitted, starts=(failed,))))

    assert manifest["starts"][0]["log_likelihood"] is None
