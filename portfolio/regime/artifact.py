"""Models as folders a person can read: `model.json` has the numbers, `manifest.json` says where they come from."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, NoReturn

from portfolio.errors import ModelError
from portfolio.regime.model import model_bytes, model_from

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from portfolio.regime.hmm import Fit
    from portfolio.regime.model import RegimeModel

SCHEMA = 1  # raised when a reader of the present one could not understand the files
AS_TEXT: dict[str, Any] = {"indent": 1, "sort_keys": True, "allow_nan": False}
MODEL_FILE, MANIFEST_FILE = "model.json", "manifest.json"
MODEL_ID = re.compile(r"hmm-[0-9a-f]{12}")
# Whose versions can change a fit's last digits.
LIBRARIES = ("hmmlearn", "numpy", "scikit-learn", "scipy", "pandas")


def write_model(models_dir: Path, fit: Fit, extras: Mapping[str, Any] | None = None) -> Path:
    """Write a fitted model to `models_dir/<model_id>` and return that folder.

    The folder appears whole or not at all; one that is already there and sound is left as it is, a damaged one is
    replaced. `extras` are further plain values for the manifest, such as the instant of the fit.
    Raises ModelError when the disk refuses.
    """
    folder = models_dir / fit.model.model_id
    with _disk_errors(folder):
        if _is_sound(models_dir, fit.model.model_id):
            return folder
        models_dir.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=models_dir))
        try:
            _write_synced(unfinished / MODEL_FILE, model_bytes(fit.model))
            _write_synced(unfinished / MANIFEST_FILE, json.dumps(manifest_of(fit, extras), **AS_TEXT).encode() + b"\n")
            unfinished.chmod(0o755)  # mkdtemp's 0700 would hide the model from the web and a person
            _sync_folder(unfinished)
            if folder.exists():
                shutil.rmtree(folder)  # unreadable here; by its id, what replaces it has the same numbers
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)  # gone already when all went well
        _sync_folder(models_dir)
    return folder


def read_model(models_dir: Path, model_id: str) -> RegimeModel:
    """Read `models_dir/<model_id>`.

    Raises ModelError when it is missing, damaged, of another model, or of a newer schema.
    """
    if not MODEL_ID.fullmatch(model_id):
        message = f"{model_id!r} is no model id, which is hmm- and twelve hexadecimal digits: look up the right one."
        raise ModelError(message)
    folder = models_dir / model_id
    model = read_model_at(folder)
    if model.model_id != model_id:
        _refuse(folder, "must hold the model it is named after", f"{model.model_id} inside")
    return model


def read_model_at(folder: Path) -> RegimeModel:
    """Read the model of a folder of any name, as `HMM_MODEL_PATH` gives it. Errors are those of `read_model`."""
    manifest = read_manifest(folder)
    raw = _read(folder / MODEL_FILE)
    checksum = hashlib.sha256(raw).hexdigest()
    if checksum != manifest["checksums"].get(MODEL_FILE):
        _refuse(folder / MODEL_FILE, "must have the checksum of the manifest", f"sha256 {checksum[:12]}...")
    try:
        model = model_from(_parsed(folder / MODEL_FILE, raw))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = _message(folder / MODEL_FILE, "must have the parts of a model", repr(error))
        raise ModelError(message) from error
    except ModelError as error:
        message = f"{folder / MODEL_FILE}: {error}"
        raise ModelError(message) from error
    if model.model_id != manifest["model_id"]:
        _refuse(folder, "must hold the model of its manifest", f"{model.model_id}, not {manifest['model_id']}")
    return model


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a model's manifest says: origin, scores, gates. Errors are those of `read_model`."""
    path = folder / MANIFEST_FILE
    manifest = _parsed(path, _read(path))
    schema = manifest.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        _refuse(path, f"must carry the schema number {SCHEMA}", f"{schema!r}")
    if schema > SCHEMA:
        message = (
            f"{path} has schema {schema}; this release reads up to {SCHEMA}. A newer release wrote it: run that "
            f"release, or choose a model this one wrote."
        )
        raise ModelError(message)
    if not isinstance(manifest.get("checksums"), dict) or not isinstance(manifest.get("model_id"), str):
        _refuse(path, "must have model_id and checksums", f"keys {sorted(manifest)}")
    return manifest


def manifest_of(fit: Fit, extras: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a manifest says of a fit, promoted or not, as plain JSON values; `extras` come on top."""
    model = fit.model
    return {
        **(extras or {}),
        "schema": SCHEMA,
        "model_id": model.model_id,
        "checksums": {MODEL_FILE: hashlib.sha256(model_bytes(model)).hexdigest()},
        "data_hash": model.data_hash,
        "window": {
            "fit_start": model.fit_start.isoformat(),
            "fit_end": model.fit_end.isoformat(),
            "rows": model.fit_rows,
        },
        "drivers": list(model.drivers),
        "feature_names": list(model.feature_names),
        "state_order": list(model.labels),
        "state_volatilities": model.volatilities.tolist(),
        "log_likelihood": model.log_likelihood,
        "passed": fit.passed,
        "gates": [asdict(gate) for gate in fit.gates],
        "starts": [asdict(start) for start in fit.starts],
        "spec": asdict(fit.spec),
        "versions": {"python": python_version()} | {name: metadata.version(name) for name in LIBRARIES},
    }


def _is_sound(models_dir: Path, model_id: str) -> bool:
    try:
        read_model(models_dir, model_id)
    except ModelError:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(_message(path, "must be a readable file", str(error.strerror))) from error


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ModelError(_message(path, "must be JSON", str(error))) from error
    if not isinstance(content, dict):
        _refuse(path, "must be a JSON object", type(content).__name__)
    return content


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk_errors(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        message = f"Model folder {folder} cannot be written ({error.strerror}): check space and rights, then run again."
        raise ModelError(message) from error


def _message(path: Path, rule: str, seen: str) -> str:
    return (
        f"{path} {rule}; seen: {seen}. The model cannot be trusted: delete its folder and run `portfolio run`, which "
        f"fits it again, or mend HMM_MODEL_PATH when it points there."
    )


def _refuse(path: Path, rule: str, seen: str) -> NoReturn:
    raise ModelError(_message(path, rule, seen))
