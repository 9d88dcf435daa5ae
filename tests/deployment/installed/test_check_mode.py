"""`--check --diff` on a provisioned host: it runs to its end, and finds nothing to change."""

from __future__ import annotations

import os
import re
import subprocess

from tests.support.machine.place import PROJECT


def test_check_mode_finds_nothing_to_change_on_a_provisioned_host(machine):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    ended = subprocess.run(
        [PROJECT / ".venv-deploy/bin/ansible-playbook", "-i", "inventories/test", "site.yml", "--check", "--diff"],
        cwd=PROJECT / "ansible", env=kept | {"HOST": machine.address, "VPS_KEY": str(machine.key)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert re.findall(r"changed=(\d+)", ended.stdout) == ["0"], ended.stdout[-4000:]
