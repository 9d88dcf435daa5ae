"""A reading is made once for all who ask, and anew when what it was read from changed."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from portfolio.web.remembered import Remembered, identity_of, identity_of_folder


class Counted:
    """A reading that takes a moment and counts how often it was made."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> int:
        time.sleep(0.05)
        self.made += 1
        return self.made


def test_many_who_ask_at_once_cause_one_reading():
    async def ask() -> list[int]:
        kept: Remembered[int] = Remembered(60)
        return await asyncio.gather(*(kept.get("same", read) for _ in range(50)))

    read = Counted()
    assert asyncio.run(ask()) == [1] * 50


@pytest.mark.parametrize(("keys", "for_s", "made"), [("aaa", 60, 1), ("aab", 60, 2), ("aba", 60, 3), ("aaa", 0, 3)])
def test_reading_is_made_anew_when_the_key_changes_or_it_is_too_old(keys, for_s, made):
    async def ask() -> None:
        kept: Remembered[int] = Remembered(for_s)
        for key in keys:
            await kept.get(key, read)

    read = Counted()
    asyncio.run(ask())
    assert read.made == made


def test_reading_that_fails_is_made_again_by_who_asks_next():
    async def ask() -> int:
        kept: Remembered[int] = Remembered(60)
        with pytest.raises(ZeroDivisionError):
            await kept.get("key", lambda: 1 // 0)
        return await kept.get("key", read)

    read = Counted()
    assert asyncio.run(ask()) == 1


def test_identity_of_a_file_changes_when_it_is_replaced_by_one_of_the_same_size_and_time(tmp_path):
    path, other = tmp_path / "copy", tmp_path / "building"
    for file in (path, other):
        file.write_text("same")
        os.utime(file, (1, 1))
    before = identity_of(path)
    assert identity_of(path) == before
    other.replace(path)
    assert identity_of(path) != before
    assert identity_of(tmp_path / "nothing") is None


def test_identity_of_a_folder_changes_when_a_file_of_its_pattern_comes_or_goes(tmp_path):
    empty = identity_of_folder(tmp_path, "*.json")
    (tmp_path / "a.txt").write_text("")
    assert identity_of_folder(tmp_path, "*.json") == empty
    (tmp_path / "a.json").write_text("")
    assert identity_of_folder(tmp_path, "*.json") != empty
    assert identity_of_folder(tmp_path / "none", "*.json") == ()
