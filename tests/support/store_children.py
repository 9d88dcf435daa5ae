"""What the store's tests let other processes do; each says "ready" through the pipe when it is about to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from portfolio.errors import StoreBusyError
from portfolio.store.connection import open_writer
from portfolio.store.migrate import create_store, migrate
from portfolio.store.prices import append_batch
from portfolio.store.publish import publish
from tests.support.store_batches import long_batch

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from portfolio.store.schema import Migration


def hold(path: Path, pipe: Connection) -> None:
    """Hold the store until told to publish and append, then until told to end."""
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-28 06:00", 50, 1.0), "holder")
        publish(store)
        pipe.send("ready")
        pipe.recv()
        append_batch(store, long_batch("2018-12-29 06:00", 50, 2.0), "holder")
        publish(store)
        pipe.send("appended")
        pipe.recv()


def try_to_write(path: Path, pipe: Connection) -> None:
    """Say what happens to a writer that doesn't wait, and to a program that goes round the lock."""
    answers = []
    try:
        with open_writer(path, "sample"):
            answers.append("opened")
    except StoreBusyError as error:
        answers.append(str(error))
    try:
        duckdb.connect(path).close()
        answers.append("opened")
    except duckdb.IOException as error:
        answers.append(str(error))
    pipe.send(answers)


def append_and_publish(path: Path, pipe: Connection, rows: int) -> None:
    checked = long_batch("2018-12-29 06:00", rows, 2.0)
    pipe.send("ready")
    with open_writer(path, "sample") as store:
        append_batch(store, checked, "child")
        publish(store)
    pipe.send("done")


def commit_and_die(path: Path, pipe: Connection, rows: int) -> None:
    """Leave a committed batch in the write-ahead log."""
    with open_writer(path, "sample") as store:
        append_batch(store, long_batch("2018-12-29 06:00", rows, 2.0), "child")
        pipe.send("ready")
        os._exit(9)


def create(path: Path, pipe: Connection) -> None:
    pipe.send("ready")
    create_store(path, "sample")
    pipe.send("done")


def migrate_with(path: Path, pipe: Connection, migrations: tuple[Migration, ...]) -> None:
    pipe.send("ready")
    migrate(path, "sample", migrations=migrations)
    pipe.send("done")
