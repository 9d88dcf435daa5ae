"""What the host looks like after all this: hardening beside the bare machine's, memory, and that nothing was left."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from tests.support.machine.place import PROJECT
from tests.support.machine.proof import FIRST, FULL, SECOND
from tests.support.machine.releases import runs_in_hand
from tests.support.machine.shell import attempt, document, on, ssh_options

FLOW_S = 120


def test_hardening_index_is_better_than_the_bare_machines(machine, figure):
    if not FULL:
        pytest.skip("proven by `make prove-vps`")
    before = int(on(machine, "cat /root/lynis-before"))
    on(machine, "lynis audit system --quick --no-colors --quiet >/dev/null; true", seconds=600)
    report = on(machine, "cat /var/log/lynis-report.dat")
    after = int(re.findall(r"^hardening_index=(\d+)", report, re.MULTILINE)[0])
    figure("Lynis hardening index", {"before": before, "after": after})
    assert after > before


def test_old_releases_are_pruned_and_those_in_a_slot_stay(machine):
    names = set(on(machine, "ls /opt/portfolio/releases").split())
    in_slots = set(on(machine, "for s in blue green; do basename $(readlink /opt/portfolio/slots/$s); done").split())
    assert in_slots <= names
    assert len(names) <= 4
    assert in_slots & {FIRST, SECOND}


def test_trades_are_booked_from_the_laptop_as_the_docs_say(machine):
    command = "install -m 644 /dev/stdin /tmp/fills.csv && portfolio ledger import /tmp/fills.csv"
    assert command in (PROJECT / "docs/DEPLOY.md").read_text()
    fills = (PROJECT / "docs/ledger-example.csv").read_text()
    booked = subprocess.run(
        ["/usr/bin/ssh", *ssh_options(machine), f"root@{machine.address}", command],
        input=fills, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert booked.returncode == 0, booked.stderr
    assert document(machine, "portfolio ledger show --json")


def test_no_run_is_left_running(machine):
    until = time.monotonic() + FLOW_S
    while runs_in_hand(machine) and time.monotonic() < until:  # one may be on its way
        time.sleep(1)
    assert runs_in_hand(machine) == []


def test_journal_has_no_traceback_of_ours(machine):
    said = attempt(machine, "journalctl --no-pager -o cat -u portfolio-web | grep -c '^Traceback'").stdout.strip()
    assert said == "0"
