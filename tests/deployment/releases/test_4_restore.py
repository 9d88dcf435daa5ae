"""A lost store comes back from a backup that lay elsewhere, and a good one gives way to a backup only when told to."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.machine.place import BACKUPS
from tests.support.machine.releases import make, serving, settled
from tests.support.machine.shell import document, on

FOLDER = "var/lib/portfolio/sample"


def test_lost_store_comes_back_from_a_backup_of_the_laptop(machine, figure):
    before, told = serving(machine), document(machine, "portfolio signal --replay --json")
    assert told["logged"]["session"]
    name = Path(document(machine, "portfolio backup --json")["path"]).name
    there = Path(f"{machine.root}{BACKUPS}", "sample", name)
    here = machine.build / "brought" / name
    shutil.rmtree(here.parent, ignore_errors=True)
    shutil.copytree(there, here)
    on(machine, f"rm -r {BACKUPS}/sample /{FOLDER}/models /{FOLDER}/portfolio*.duckdb")
    restored = make(machine, "restore", BACKUP=str(here))
    shutil.rmtree(here.parent)
    assert restored.code == 0, restored.said[-6000:]
    assert document(machine, "portfolio signal --replay --json") == told
    assert serving(machine) == before
    assert settled(machine) == []
    assert on(machine, "ls /var/lib/portfolio-release/brought 2>/dev/null | wc -l").strip() == "0"
    figure("restore of a lost store, s", restored.seconds)


def test_good_store_gives_way_only_when_told_to(machine):
    on(machine, "portfolio backup")
    refused = make(machine, "restore")
    assert refused.code != 0
    assert "--force" in refused.said
    assert settled(machine) == []
    forced = make(machine, "restore", FORCE="1")
    assert forced.code == 0, forced.said[-6000:]
    assert settled(machine) == []
