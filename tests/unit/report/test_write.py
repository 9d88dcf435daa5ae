from __future__ import annotations

import pytest

from portfolio.report.page import write_page


def test_write_page_leaves_one_file_that_all_may_read(tmp_path):
    path = tmp_path / "reports" / "today.html"
    write_page(path, "<p>é</p>\n")
    assert path.read_bytes() == "<p>é</p>\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert [item.name for item in path.parent.iterdir()] == ["today.html"]


def test_write_page_replaces_the_old_page_by_a_new_file(tmp_path):
    path = tmp_path / "today.html"
    write_page(path, "old")
    with path.open(encoding="utf-8") as reader:
        write_page(path, "new")
        assert reader.read() == "old"  # who reads keeps the page it opened
    assert path.read_text("utf-8") == "new"


def test_write_page_keeps_the_old_page_and_no_rubbish_when_it_cannot_finish(tmp_path):
    path = tmp_path / "today.html"
    write_page(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_page(path, "new \ud800")  # a lone surrogate cannot be written
    assert path.read_text("utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["today.html"]
