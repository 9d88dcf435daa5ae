from __future__ import annotations

from pathlib import Path

import pytest

from artefact.pins import pins_of, requirements

HASH = "sha256:" + "0" * 64
LOCKS = Path(__file__).parents[3] / "requirements"


def test_pins_are_those_of_the_hosts_python_whatever_python_packs_them():
    lock = f"""
    async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
        --hash={HASH}
    scipy==1.17.1 ; python_full_version < '3.12' \\
        --hash={HASH}
    scipy==1.18.1 ; python_full_version >= '3.12' \\
        --hash={HASH}
    pywin32==312 ; sys_platform == 'win32' \\
        --hash={HASH}
    """
    assert [(pin.name, pin.version) for pin in pins_of(lock)] == [("async-timeout", "5.0.1"), ("scipy", "1.17.1")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"duckdb>=1.5 --hash={HASH}", "pins and hashes every package"),
        ("duckdb==1.5.6", "pins and hashes every package"),
        (f"duckdb==1.5.6 --hash={HASH}\nDuckDB==1.5.7 --hash={HASH}", "wants duckdb at two versions"),
    ],
)
def test_lock_is_refused_when_a_line_leaves_a_choice(line, why):
    with pytest.raises(ValueError, match=why):
        pins_of(line)


def test_pins_read_again_what_they_write():
    [pin] = pins_of(f"duckdb==1.5.6 --hash={HASH}")
    assert pins_of(requirements([pin])) == (pin,)


def test_server_is_locked_to_what_the_releases_have():
    """Its clients are of the same versions, so that an odd pair is never met for the first time on a host."""
    runtime = {pin.name: pin for pin in pins_of((LOCKS / "runtime.txt").read_text())}
    server = pins_of((LOCKS / "prefect-server.txt").read_text())
    assert {pin.name for pin in server} >= {"prefect", "fastapi", "sqlalchemy", "async-timeout"}
    assert all(runtime[pin.name].version == pin.version for pin in server)
