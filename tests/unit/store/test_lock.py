from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portfolio.errors import ExitCode, StoreBusyError, StoreError
from portfolio.store.lock import lock_path, may_be_held, read_holder, writer_lock

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_lock_is_refused_at_once_and_names_the_holder_when_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "portfolio.duckdb"
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    with writer_lock(store), pytest.raises(StoreBusyError) as caught, writer_lock(store):
        pytest.fail("two writers")
    assert "after waiting" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.BUSY == 5
    assert re.search(rf"process {os.getpid()} \(.*\), since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", str(caught.value))
    assert "--wait" in str(caught.value)


def test_lock_can_be_opened_by_nobody_else(tmp_path: Path) -> None:
    lock_path(tmp_path / "store.duckdb").touch(mode=0o644)
    with writer_lock(tmp_path / "store.duckdb"):
        assert lock_path(tmp_path / "store.duckdb").stat().st_mode & 0o777 == 0o600


def test_nobody_is_not_said_to_write_by_one_who_may_not_look(reachable: Path) -> None:
    """The web service may not: to it a running flow must not look like one that was killed."""
    store = reachable / "store.duckdb"
    assert not asked_as_another_user(store)
    with writer_lock(store):
        assert asked_as_another_user(store)
    assert not may_be_held(store)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may list."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def asked_as_another_user(store: Path) -> bool:
    """Ask as one who may read the folder and not the lock: another user where we are root, else its mode says so."""
    if os.geteuid() != 0:
        if lock_path(store).exists():
            lock_path(store).chmod(0)
        return may_be_held(store)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os._exit(int(may_be_held(store)))
    return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def test_lock_is_free_again_when_its_holder_failed(tmp_path: Path) -> None:
    store = tmp_path / "portfolio.duckdb"
    with pytest.raises(KeyError), writer_lock(store):
        raise KeyError
    assert read_holder(store) is None
    with writer_lock(store):
        assert read_holder(store) is not None
    assert read_holder(store) is None


def test_lock_is_had_when_it_becomes_free_while_waiting(tmp_path: Path) -> None:
    store = tmp_path / "portfolio.duckdb"
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(store):
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    threading.Timer(0.2, release.set).start()
    started = time.monotonic()
    with writer_lock(store, wait_s=10):
        waited_s = time.monotonic() - started
    holder.join()
    assert 0.1 < waited_s < 5


def test_lock_is_refused_after_the_time_asked_for_when_it_stays_taken(tmp_path: Path) -> None:
    store = tmp_path / "portfolio.duckdb"
    started = time.monotonic()
    with (
        writer_lock(store),
        pytest.raises(StoreBusyError, match=r"Still busy after waiting 0\.2 s"),
        writer_lock(store, wait_s=0.2),
    ):
        pytest.fail("two writers")
    assert 0.2 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    "left_behind",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"pid": "x", "command": "c", "since": "s"}',
        '{"pid": 4194305, "command": "c", "since": "s"}',
    ],
)
def test_holder_is_unknown_when_what_stands_there_is_stale_or_torn(tmp_path: Path, left_behind: str) -> None:
    store = tmp_path / "portfolio.duckdb"
    lock_path(store).write_text(left_behind)
    assert read_holder(store) is None
    with writer_lock(store):  # the flock is the truth, not the text
        assert json.loads(lock_path(store).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_lock_is_refused_when_its_file_is_a_link_and_what_it_leads_to_is_as_it_was(tmp_path: Path, make) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    make(lock_path(tmp_path / "store.duckdb"), precious)
    with pytest.raises(StoreError, match=r"store\.duckdb\.lock"), writer_lock(tmp_path / "store.duckdb"):
        pass
    assert precious.read_text() == "keep me"


def test_lock_is_refused_when_its_file_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(lock_path(tmp_path / "store.duckdb"))
    with pytest.raises(StoreError, match="no pipe"), writer_lock(tmp_path / "store.duckdb"):
        pass


def test_lock_is_refused_with_the_folder_named_when_there_is_no_such_folder(tmp_path: Path) -> None:
    store = tmp_path / "nowhere" / "portfolio.duckdb"
    with (
        pytest.raises(StoreError, match=r"nowhere/portfolio.duckdb.lock cannot be opened \(No such file"),
        writer_lock(store),
    ):
        pytest.fail("locked without a folder")


WRITES_UNDER_IT = """
import sys
from pathlib import Path
from portfolio.errors import StoreBusyError
from portfolio.store.lock import writer_lock
try:
    with writer_lock(Path(sys.argv[1])):
        print("had")
except StoreBusyError:
    print("busy")
"""


@pytest.mark.parametrize(
    ("handed", "told"), [("its own", "had"), ("none", "busy"), ("another store's", "busy"), ("text", "busy")]
)
def test_lock_is_had_by_a_child_when_it_was_handed_over_and_is_this_stores(tmp_path, handed, told) -> None:
    store = tmp_path / "portfolio.duckdb"
    with writer_lock(store) as descriptor, writer_lock(tmp_path / "other.duckdb") as other:
        number = {"its own": descriptor, "none": 999, "another store's": other, "text": "x"}[handed]
        ended = subprocess.run(
            [sys.executable, "-c", WRITES_UNDER_IT, store],
            env=os.environ | {"PORTFOLIO_LOCK_FD": str(number), "PYTHONPATH": str(Path(__file__).parents[3])},
            pass_fds=(descriptor, other), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ended.stdout.strip() == told
        with pytest.raises(StoreBusyError), writer_lock(store):  # a child that has ended has not let it go
            pytest.fail("two writers")
