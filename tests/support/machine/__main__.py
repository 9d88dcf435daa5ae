"""The machine from a shell: `python -m tests.support.machine up | down | open | close | cut | boot | prerequisites`."""

from __future__ import annotations

import json
import shutil
import sys

from tests.support.machine.commands import CommandError, run
from tests.support.machine.disk import lay_out
from tests.support.machine.group import remove
from tests.support.machine.network import close_way_out, open_way_out, plug_in, unplug
from tests.support.machine.place import Place, place
from tests.support.machine.power import cut_power, keep, switch_off, switch_on
from tests.support.machine.prerequisites import hindrances, missing_packages

NOT_POSSIBLE = 3
# Each part of the test notes one of these.
EXPECTED_FIGURES = (
    "provision, s",
    "first deploy without a way out, s",
    "memory at rest, MB (PSS, the whole machine)",
    "rollback, s",
    "bad release worker-crashes",
    "kill -9 of the release tool",
    "restore of a lost store, s",
    "reboot to ready, s",
)


def up(at: Place) -> None:
    """Boot a new machine; what an interrupted run left of one of this name goes first. Its name is an argument too."""
    down(at)
    lay_out(at)
    plug_in(at)
    open_way_out(at)
    switch_on(at)
    sys.stdout.write(json.dumps({"address": at.address, "key": str(at.key), "name": at.name}) + "\n")


def down(at: Place) -> None:
    """Leave nothing of the machine: processes first, then its cable and rules, then its files."""
    switch_off(at)
    remove(at)
    close_way_out(at)
    unplug(at)
    if at.folder.exists():
        shutil.rmtree(at.folder)


def prerequisites(_: Place) -> None:
    """Install what is missing, or say why no machine can be booted here."""
    why = hindrances()
    if why:
        sys.stderr.write("The machine's test was NOT RUN: " + "; ".join(why) + ".\n")
        raise SystemExit(NOT_POSSIBLE)
    missing = missing_packages()
    if missing:
        sys.stdout.write(f"Installing {', '.join(missing)}.\n")
        run("apt-get", "update", "-qq", seconds=300)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, seconds=600)


def proven(at: Place) -> None:
    """Refuse a run that skipped its tests without a word, as molecule does when it finds none; show what was seen."""
    figures = at.build / f"{at.name}-figures.jsonl"
    seen = [json.loads(line) for line in figures.read_text().splitlines()] if figures.exists() else []
    names = {line["name"] for line in seen}
    for line in seen:
        sys.stdout.write(f"{line['name']}: {json.dumps(line['value'])}\n")
    missing = [name for name in EXPECTED_FIGURES if name not in names]
    if missing:
        sys.stderr.write(f"The machine's test did not get to: {', '.join(missing)}.\n")
        raise SystemExit(1)


VERBS = {
    "proven": proven,
    "up": up,
    "down": down,
    "open": open_way_out,
    "close": close_way_out,
    "boot": switch_on,
    "cut": cut_power,
    "keep": keep,
    "prerequisites": prerequisites,
}


def main(arguments: list[str]) -> int:
    """Run one verb."""
    if not arguments or arguments[0] not in VERBS:
        sys.stderr.write(f"{__doc__}\nOne of: {', '.join(VERBS)}.\n")
        return 2
    try:
        return VERBS[arguments[0]](place()) or 0
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
