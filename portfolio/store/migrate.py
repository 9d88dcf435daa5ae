"""Making a store, and moving one to this release's schema.

Both build a file aside, close it, and put it in place under its name in one step: a process killed at any point
leaves the old store, or none, and never half a one. DDL so never stands in the write-ahead log of a live file,
where DuckDB's known replay bugs are.
"""

from __future__ import annotations

import filecmp
import os
import shlex
import shutil
from typing import TYPE_CHECKING

import duckdb

import portfolio
from portfolio.errors import StoreError
from portfolio.store.connection import published_path
from portfolio.store.engine import attach, attach_new, engine, live_path, sync, translated, wal_path
from portfolio.store.lock import writer_lock
from portfolio.store.schema import (
    APPLICATION,
    Identity,
    Plan,
    ensure_kind,
    ensure_not_newer,
    packaged_migrations,
    read_identity,
)

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.store.schema import Kind, Migration


def create_store(path: Path, kind: Kind, wait_s: float = 0.0, migrations: tuple[Migration, ...] | None = None) -> bool:
    """Make an empty store unless a file of that name is there; tell whether one was made."""
    path = live_path(path)
    _ensure_folder(path.parent)
    with writer_lock(path, wait_s):
        _clear_leftovers(path)
        if path.exists():
            return False
        _ensure_no_orphaned_wal(path)
        _ensure_nothing_published(path)
        aside = _aside(path)
        with engine(aside) as connection:
            attach_new(connection, aside)
            connection.execute("USE store")
            _apply(connection, migrations or packaged_migrations())
            _write_meta(connection, kind)
            connection.execute("CHECKPOINT store")
        _put_in_place(aside, path)
        return True


def migrate(
    path: Path, kind: Kind, wait_s: float = 0.0, migrations: tuple[Migration, ...] | None = None
) -> tuple[Migration, ...]:
    """Bring a store to this release's schema and return what was applied, nothing when it is there already.

    A copy of the store as it was stays beside it, `<stem>.before-<first step>.duckdb`.
    """
    path = live_path(path)
    steps = migrations or packaged_migrations()
    with writer_lock(path, wait_s):
        _clear_leftovers(path)
        identity = _checkpointed(path, kind, steps[-1].version)
        pending = tuple(step for step in steps if step.version > identity.schema)
        if pending:
            _keep_copy(path, pending[0].version)
            _migrate_aside(path, pending)
        return pending


def plan_of(path: Path, kind: Kind, migrations: tuple[Migration, ...] | None = None) -> Plan:
    """Tell what `migrate` would do, from a look that changes nothing; raises StoreBusyError while another writes."""
    path = live_path(path)
    steps = migrations or packaged_migrations()
    wanted = steps[-1].version
    if not path.exists():
        return Plan(None, wanted, (), max(step.min_reader for step in steps), can_read=True)
    with engine(path) as connection:
        attach(connection, path, read_only=True)
        identity = read_identity(connection, path)
    ensure_kind(identity, kind, path)
    pending = tuple(step for step in steps if step.version > identity.schema)
    min_reader = max([identity.min_reader, *(step.min_reader for step in pending)])
    names = tuple(f"{step.version:04d} {step.name}" for step in pending)
    return Plan(identity.schema, wanted, names, min_reader, can_read=identity.min_reader <= wanted)


def _checkpointed(path: Path, kind: Kind, known: int) -> Identity:
    """Look at the store and leave it closed, with nothing in its write-ahead log."""
    with engine(path) as connection:
        attach(connection, path, read_only=False)
        try:
            identity = read_identity(connection, path)
            ensure_kind(identity, kind, path)
            ensure_not_newer(identity, known, path)
            connection.execute("CHECKPOINT store")
        except (duckdb.IOException, duckdb.FatalException) as error:
            raise translated(path, error, read_only=False) from error
    return identity


def _migrate_aside(path: Path, pending: tuple[Migration, ...]) -> None:
    aside = _aside(path)
    shutil.copyfile(path, aside)  # nobody has the file open: the lock is ours and our connection is closed
    with engine(aside) as connection:
        attach(connection, aside, read_only=False)
        _apply(connection, pending)
        connection.execute("CHECKPOINT store")
    sync(aside)
    aside.replace(path)
    sync(path.parent)


def _apply(connection: duckdb.DuckDBPyConnection, steps: tuple[Migration, ...]) -> None:
    for step in steps:
        try:
            connection.execute(step.sql)
        except duckdb.Error as error:
            told = str(error).strip().splitlines()[0]
            message = (
                f"Step {step.version:04d} {step.name} of release {portfolio.__version__} fails on this store: {told}. "
                "The store is as it was: go on with the release before, and report this."
            )
            raise StoreError(message) from error
        connection.execute(
            "INSERT INTO core.migrations VALUES (?, ?, ?, now(), ?)",
            [step.version, step.name, step.min_reader, portfolio.__version__],
        )


def _write_meta(connection: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    connection.execute(
        "INSERT INTO core.meta VALUES ('application', ?), ('kind', ?), ('created_at', now()::TEXT)", [APPLICATION, kind]
    )


def _keep_copy(path: Path, first_step: int) -> Path:
    """Copy the closed store beside itself, unless an interrupted try has already done so; no copy is overwritten."""
    number, kept = 1, path.with_name(f"{path.stem}.before-{first_step}{path.suffix}")
    while kept.exists() and not filecmp.cmp(path, kept, shallow=False):
        number += 1
        kept = path.with_name(f"{path.stem}.before-{first_step}-{number}{path.suffix}")
    if not kept.exists():
        aside = _aside(path)
        shutil.copyfile(path, aside)
        _put_in_place(aside, kept)
    return kept


def _put_in_place(aside: Path, path: Path) -> None:
    sync(aside)
    os.link(aside, path)  # unlike a rename, a link never overwrites
    aside.unlink()
    sync(path.parent)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.building")


def _clear_leftovers(path: Path) -> None:
    """Remove what a killed builder left under the name that only builders use; the lock is held."""
    for leftover in (_aside(path), wal_path(_aside(path))):
        leftover.unlink(missing_ok=True)


def _ensure_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The store's folder {folder} cannot be made ({error.strerror}): set DATA_DIR to another place."
        raise StoreError(message) from error


def _ensure_nothing_published(path: Path) -> None:
    """Refuse to start anew beside a published copy: the next publishing would replace the last ledger and log."""
    published = published_path(path)
    if published.exists():
        message = (
            f"The store {path} is gone, and its published copy {published.name} is there with the ledger and the log. "
            f"To go on from it: cp {shlex.quote(str(published))} {shlex.quote(str(path))}. To go back to the newest "
            "backup: portfolio restore. To start anew: move the copy away yourself, and run again."
        )
        raise StoreError(message)


def _ensure_no_orphaned_wal(path: Path) -> None:
    if wal_path(path).exists():
        message = (
            f"{wal_path(path)} is there and its store {path.name} is not; it may hold rows of a store that was moved. "
            "Put the store back beside it, or move the .wal away yourself, and run again."
        )
        raise StoreError(message)
