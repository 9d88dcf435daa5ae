"""Verifying a backup: every difference between the folder and its manifest is a finding."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from portfolio.backup.manifest import (
    MODELS_FOLDER,
    STORE_FILE,
    FileRecord,
    Manifest,
    file_record,
    files_in,
    has_files,
    read_manifest,
)
from portfolio.errors import BackupError, StoreBusyError, StoreError
from portfolio.findings import Finding, Severity
from portfolio.store.backup import read_contents
from portfolio.store.contents import Contents
from portfolio.store.schema import known_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEND = "It is part of a backup, which cannot be mended: choose another one."


@dataclass(frozen=True, slots=True)
class Verified:
    """What was seen of a backup; without errors it can be restored. `manifest` is None when it cannot be read."""

    path: Path
    manifest: Manifest | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which it cannot be restored."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def verify(folder: Path, kind: str | None = None) -> Verified:
    """Compare a backup with its manifest, file by file and row count by row count; it is only read.

    `kind` is the kind of store that it is wanted for, None for any.
    """
    try:
        manifest = read_manifest(folder)
    except BackupError as error:
        return Verified(folder, None, (_error("manifest", folder.name, str(error)),))
    findings = (
        *_files(folder, manifest),
        *_contents(folder, manifest),
        *_models(folder, manifest),
        *_usable_here(manifest.contents, kind),
    )
    return Verified(folder, manifest, findings)


def _files(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    told = {file.name: file for file in manifest.files}
    seen = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
    for name in sorted(told.keys() - seen.keys()):
        yield _error("file-missing", name, f"{name} is missing: the manifest tells of {told[name].size} bytes.")
    for name in sorted(seen.keys() - told.keys()):
        yield _error("file-added", name, f"{name} was added: the manifest does not know it.")
    for name in sorted(seen.keys() & told.keys()):
        yield from _file(folder, seen[name], told[name])


def _file(folder: Path, path: Path, told: FileRecord) -> Iterator[Finding]:
    if path.is_symlink() or not path.is_file():
        yield _error("file-changed", told.name, f"{told.name} is not a regular file any more.")
        return
    try:
        seen = file_record(folder, path)
    except OSError as error:
        yield _error("file-unreadable", told.name, f"{told.name} cannot be read ({error.strerror}).")
        return
    if seen.size != told.size:
        yield _error("size", told.name, f"{told.name} has {seen.size} bytes; the manifest tells of {told.size}.")
    elif seen.sha256 != told.sha256:
        shown = f"{seen.sha256[:12]}..., the manifest tells of {told.sha256[:12]}..."
        yield _error("checksum", told.name, f"{told.name} has other bytes: sha256 {shown}")


def _contents(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    path = folder / STORE_FILE
    if not path.is_file():
        return  # told among the files
    try:
        seen = read_contents(path, MEND)
    except (StoreError, StoreBusyError) as error:
        yield _error("store-unusable", STORE_FILE, str(error))
        return
    told = manifest.contents
    for field in fields(Contents):
        if field.name != "rows" and getattr(seen, field.name) != getattr(told, field.name):
            shown = f"{getattr(seen, field.name)!r}; the manifest tells of {getattr(told, field.name)!r}"
            yield _error(field.name.replace("_", "-"), STORE_FILE, f"Its {field.name} is {shown}.")
    for table in sorted(seen.rows.keys() | told.rows.keys()):
        if seen.rows.get(table) != told.rows.get(table):
            shown = f"{seen.rows.get(table)} rows; the manifest tells of {told.rows.get(table)}"
            yield _error("rows", table, f"{table} has {shown}.")


def _models(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    for role, model in sorted(manifest.contents.roles.items()):
        if model in manifest.models_missing:
            message = f"The {role} {model} had no files when the backup was made: a new model will be fitted."
            yield Finding(Severity.WARNING, "model-missing", model, message)
        elif not has_files(folder / MODELS_FOLDER / model):
            yield _error("model-missing", model, f"The {role} {model} has no files under {MODELS_FOLDER}.")


def _usable_here(contents: Contents, kind: str | None) -> Iterator[Finding]:
    if kind is not None and contents.kind != kind:
        message = (
            f"The backup is of a {contents.kind} store and a {kind} one is wanted; sample and live never share a "
            f"store. Use --source {contents.kind}, or choose another backup."
        )
        yield _error("kind-other", "", message)
    if contents.min_reader > known_schema():
        message = (
            f"The backup is at schema {contents.schema} (written by release {contents.release}), which needs a release "
            f"that knows schema {contents.min_reader}; this one knows {known_schema()}. Restore it with that release."
        )
        yield _error("schema-newer", "", message)


def _error(rule: str, subject: str, message: str) -> Finding:
    return Finding(Severity.ERROR, rule, subject, message)
