"""Small files replaced in one step."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from portfolio.atomic import replace_text

NO_ROOM = """
import resource, sys
from pathlib import Path
from portfolio.atomic import replace_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a full disk: the write that goes beyond it fails
replace_text(Path(sys.argv[1]), "new" * 1000)
"""


def test_file_is_whole_whenever_it_is_read_while_it_is_replaced(tmp_path):
    path, seen, done = tmp_path / "file", set(), threading.Event()
    texts = {"a" * 100_000, "b" * 200_000}
    replace_text(path, min(texts))

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text("utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in texts:
            replace_text(path, text)
    done.set()
    reader.join()
    assert seen <= texts
    assert list(tmp_path.iterdir()) == [path]


def test_file_stays_as_it_was_and_nothing_is_left_when_there_is_no_room(tmp_path):
    path = tmp_path / "file"
    replace_text(path, "old")
    ended = subprocess.run(
        [sys.executable, "-c", NO_ROOM, path], capture_output=True, text=True, check=False, timeout=60
    )
    assert "OSError: [Errno 27]" in ended.stderr
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_its_folder_are_made_when_they_are_missing_and_all_may_read_it(tmp_path):
    path = tmp_path / "not" / "there" / "file"
    replace_text(path, "élan\n")
    assert path.read_bytes() == "élan\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644


def test_file_is_refused_where_a_folder_has_its_name(tmp_path):
    with pytest.raises(IsADirectoryError):
        replace_text(tmp_path, "text")
