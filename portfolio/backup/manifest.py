"""The manifest: what a backup says of itself, written last, so that a folder with one was finished."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # pydantic reads the annotations at run time
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from portfolio.errors import BackupError
from portfolio.store.contents import Contents  # noqa: TC001  # as above

FORMAT = 1  # raised when a reader of the present one could not understand a backup
MANIFEST_FILE, STORE_FILE, MODELS_FOLDER = "manifest.json", "portfolio.duckdb", "models"
_CHUNK = 1 << 20  # bytes hashed at a time: a store need not fit in memory


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a backup: its name inside the folder with "/", and what its bytes must be."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is needed to tell whether a backup is whole; `models_missing` had no files when it was made.

    In the file `sha256` stands beside these: of all else that the file says, so that an edit shows.
    """

    format: int
    created_at: AwareDatetime
    run_id: str
    release: str
    duckdb: str
    contents: Contents
    files: tuple[FileRecord, ...]
    models_missing: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together, the manifest aside."""
        return sum(file.size for file in self.files)


_ADAPTER = TypeAdapter(Manifest)


def manifest_text(manifest: Manifest) -> str:
    """Return a manifest as JSON that a person can read."""
    values = _ADAPTER.dump_python(manifest, mode="json")
    return json.dumps(values | {"sha256": _own_checksum(values)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read a backup's manifest.

    Raises BackupError when it is missing, not JSON, of a newer format, was edited, or lacks a part.
    """
    path = folder / MANIFEST_FILE
    try:
        values = _ensure_ours(path, json.loads(path.read_bytes()))
        return _ADAPTER.validate_python(values)
    except OSError as error:
        raise BackupError(_message(path, f"it cannot be read ({error.strerror})")) from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise BackupError(_message(path, f"{where}: {problem['msg']}")) from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BackupError(_message(path, f"it is not JSON ({error})")) from error


def file_record(folder: Path, path: Path) -> FileRecord:
    """Measure one closed file; never the live store's, whose lock a second descriptor would drop."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(path.relative_to(folder).as_posix(), size, digest.hexdigest())


def files_in(folder: Path) -> tuple[Path, ...]:
    """Return every file of a backup but its manifest, by name."""
    found = (path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink())
    return tuple(path for path in found if path != folder / MANIFEST_FILE)


def has_files(model: Path) -> bool:
    """Whether a model's folder is there and not empty."""
    return any(model.glob("*"))


def _ensure_ours(path: Path, values: object) -> dict[str, Any]:
    """Refuse what this release could misread, and what no release wrote."""
    if not isinstance(values, dict):
        raise BackupError(_message(path, f"it is no JSON object but {type(values).__name__}"))
    found = values.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise BackupError(_newer_message(path, found))
    if values.get("sha256") != _own_checksum(values):
        raise BackupError(_message(path, "it was edited, its own checksum does not fit"))
    return values


def _own_checksum(values: dict[str, Any]) -> str:
    rest = {key: value for key, value in values.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _message(path: Path, seen: str) -> str:
    return (
        f"The manifest {path} cannot be used: {seen}. Without it nobody can tell whether the backup is whole: choose "
        "another one (portfolio verify-backup NAME)."
    )


def _newer_message(path: Path, found: int) -> str:
    return (
        f"The manifest {path} has format {found} and this release reads up to {FORMAT}: a newer release made the "
        "backup. Use that release, or choose another backup."
    )
