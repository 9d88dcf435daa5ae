"""Which names a request may ask by."""

from __future__ import annotations

import pytest

from portfolio.web.guard import names_this_machine


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "10.0.0.5:80"])
def test_address_and_localhost_name_this_machine(host):
    assert names_this_machine(host)


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8080"])
def test_address_of_version_6_names_this_machine(host):
    assert names_this_machine(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "a b", "127.0.0.1:80:80"],
)
def test_any_other_name_does_not(host):
    assert not names_this_machine(host)
