"""The live store during a switch: its lock, what migrating it would do, a copy, and the way back.

Every file is written by a child that runs as the services' user: it must own what it is to go on with.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.errors import StoreBusyError
from portfolio.release.failures import RefusedError, ReleaseError, StoreHeldError
from portfolio.store.lock import HANDED_OVER, lock_path, writer_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portfolio.release.host import Host

LOCK_WAIT_S = 120.0  # a writer holds it for seconds
MIGRATION_COPIES = 3  # ours, and the two that a release makes: one that it keeps, one that it builds aside
SPARE = 200_000_000  # bytes that stay free beside a copy
# The target stays whole until all of the copy is on the disk.
COPY = """
set -e
for end in "" .wal; do
    if [ -e "$1$end" ]; then
        cp --reflink=auto -- "$1$end" "$2$end.part"
        sync -- "$2$end.part"
    fi
done
mv -- "$2.part" "$2"
if [ -e "$1.wal" ]; then mv -- "$2.wal.part" "$2.wal"; else rm -f -- "$2.wal"; fi
"""
# Needs no room, and may be done again after a kill at any point. $3, where given, is another name for what is replaced.
PUT_BACK = """
set -e
for end in "" .wal; do
    if [ -n "$3" ] && [ -e "$1" ] && [ -e "$2$end" ]; then ln -f -- "$2$end" "$3$end"; fi
done
if [ -e "$1" ]; then
    rm -f -- "$2.wal"
    mv -- "$1" "$2"
fi
if [ -e "$1.wal" ]; then mv -- "$1.wal" "$2.wal"; fi
sync -- "${2%/*}"
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the settings have the store and what belongs to it."""

    store: Path
    published: Path
    state: Path

    @property
    def copy(self) -> Path:
        """The copy that a switch takes before it migrates; the next switch replaces it."""
        return self.store.with_name(f"{self.store.stem}.before-switch{self.store.suffix}")

    @property
    def looked_at(self) -> Path:
        """Another name of the published copy, while a release looks at it as at a store; settings refuse its own."""
        return self.store.with_name(f"{self.store.stem}.looked-at{self.store.suffix}")

    def replaced(self, instant: str) -> Path:
        """Name what an undoing replaces, beside the store."""
        return self.store.with_name(f"{self.store.stem}.replaced-{instant.replace(':', '')}{self.store.suffix}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a release would do to the store; `min_reader` is the oldest schema that could read the result."""

    pending: tuple[str, ...]
    min_reader: int
    can_read: bool


def places(host: Host, version: str) -> Places:
    """Ask a release where the settings have its store; raises ReleaseError when the settings break a rule."""
    answer = host.answer_of(version, "portfolio", "config", "show", "--json")["paths"]
    return Places(Path(answer["store"]), Path(answer["published"]), Path(answer["state"]))


@contextmanager
def locked(host: Host, store: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[int]:
    """Hold the store's lock; yields the descriptor to hand over. The lock's file is the services' user's.

    Raises StoreHeldError, which is a failure: another release command's being at work is something else.
    """
    if not lock_path(store).exists():
        _as_service(host, ["/bin/sh", "-c", 'umask 077; touch -- "$1"', "sh", str(lock_path(store))])
    try:
        with writer_lock(store, wait_s) as descriptor:
            yield descriptor
    except StoreBusyError as error:
        raise StoreHeldError(str(error)) from error


def plan(host: Host, version: str, store: Path) -> Plan:
    """Ask a release what it would do to a store that nobody writes."""
    answer: dict[str, Any] = json.loads(
        host.must(version, "portfolio", "migrate", "--plan", "--json", settings={"DUCKDB_FILE": str(store)})
    )
    return Plan(tuple(answer["pending"]), int(answer["min_reader"]), bool(answer["can_read"]))


def plan_of_published(host: Host, version: str, at: Places) -> Plan:
    """Ask a release what it would do to the published copy: what somebody writes meanwhile cannot be looked at."""
    _as_service(host, ["ln", "-f", "--", str(at.published), str(at.looked_at)])
    try:
        return plan(host, version, at.looked_at)
    finally:
        _as_service(host, ["rm", "-f", "--", str(at.looked_at)])


def fingerprint(store: Path) -> str:
    """Return the SHA-256 of a store's file and of what its write-ahead log holds; empty when there is no store."""
    digest = hashlib.sha256()
    for path in (store, Path(f"{store}.wal")):
        if path.is_file():
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest() if store.is_file() else ""


def copy(host: Host, source: Path, target: Path, copies: int = 1) -> None:
    """Copy a closed store under its lock; raises RefusedError when the disk has no room for so many copies of it."""
    needed, free = copies * source.stat().st_size + SPARE, shutil.disk_usage(target.parent).free
    if free < needed:
        what = "A copy of the store needs" if copies == 1 else "Copying and migrating the store need"
        message = (
            f"{what} {needed / 1e6:.0f} MB in {target.parent} ({SPARE / 1e6:.0f} of them stay free) and there are "
            f"{free / 1e6:.0f}: make room."
        )
        raise RefusedError(message)
    _as_service(host, ["/bin/sh", "-c", COPY, "sh", str(source), str(target)])


def migrate(host: Host, version: str, descriptor: int) -> None:
    """Let a release migrate the live store under the lock that is held."""
    host.must(version, "portfolio", "migrate", settings={HANDED_OVER: str(descriptor)}, fds=(descriptor,))


def publish(host: Host, version: str, descriptor: int) -> None:
    """Let a release publish the live store under the lock that is held."""
    host.must(version, "portfolio", "publish", settings={HANDED_OVER: str(descriptor)}, fds=(descriptor,))


def put_back(host: Host, at: Places, replaced: Path | None) -> None:
    """Let the copy take the store's place again; what it replaces keeps the other name, where one is given."""
    _as_service(host, ["/bin/sh", "-c", PUT_BACK, "sh", str(at.copy), str(at.store), str(replaced or "")])


def _as_service(host: Host, command: list[str]) -> None:
    ended = host.run_as_service(command, None, (), 600)
    if ended.returncode:
        message = f"`{command[0]}` on the store's files failed: {ended.stderr.strip()}"
        raise ReleaseError(message)
