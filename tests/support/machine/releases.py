"""Releases on the machine: the commands a person types, and what must be true after each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.machine.loopback import WEB, prefect, request
from tests.support.machine.place import PROJECT
from tests.support.machine.shell import attempt, document

if TYPE_CHECKING:
    from tests.support.machine.place import Place

RECORDS = "var/lib/portfolio-release"
LONGEST_S = 1200
SLOTS = ("blue", "green")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that was typed: how it ended, what it said, how long it took."""

    code: int
    said: str
    seconds: float


def make(at: Place, target: str, **variables: str) -> Typed:
    """Type `make TARGET` as the README says, for this machine."""
    began = time.monotonic()
    process = make_started(at, target, **variables)
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except BaseException:  # an interrupted test leaves no controller behind
        os.killpg(process.pid, signal.SIGTERM)
        raise
    return Typed(process.returncode, said, round(time.monotonic() - began, 1))


def make_started(at: Place, target: str, **variables: str) -> subprocess.Popen[str]:
    """Type it and do not wait."""
    # Molecule's own settings of Ansible are not what a person has.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_", "MAKE"))}
    words = [f"{key}={value}" for key, value in variables.items()]
    return subprocess.Popen(
        ["/usr/bin/make", "--no-print-directory", target, "INVENTORY=test", *words],
        cwd=PROJECT,
        env=kept | {"HOST": at.address, "VPS_KEY": str(at.key)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def switch_in_hand(at: Place) -> dict[str, Any] | None:
    """Read the release tool's record of the switch under way, from this side: it costs the machine nothing."""
    try:
        return json.loads(Path(at.root, RECORDS, "switch.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def history(at: Place) -> list[dict[str, Any]]:
    """Read the lines of ended switches, oldest first."""
    try:
        lines = Path(at.root, RECORDS, "history.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.startswith("{")]


def serving(at: Place) -> tuple[str, str]:
    """Return the slot that serves and its version, by the links alone."""
    slot = Path(at.root, "opt/portfolio/current").readlink().name
    return slot, Path(at.root, "opt/portfolio/slots", slot).readlink().name


def disorder(at: Place) -> list[str]:
    """Say what is not as it must be when no switch is under way; nothing when one release serves, as all agree."""
    slot, version = serving(at)
    other = next(name for name in SLOTS if name != slot)
    status = document(at, "portfolio-release status --json")
    active = {name: attempt(at, f"systemctl is-active portfolio-worker@{name}").stdout.strip() for name in SLOTS}
    queues = {item["name"]: item["is_paused"] for item in prefect(at, "/work_pools/portfolio/queues/filter")}
    release = next(
        (
            line
            for line in request(at, f"{WEB}/metrics").text.splitlines()
            if line.startswith("portfolio_release_info{")
        ),
        "no portfolio_release_info",
    )
    plan = attempt(at, as_portfolio("migrate --plan --json"))
    left = [run for run in runs_in_hand(at) if run[2] in (other, f"{other}-smoke")]
    found = {
        f"switch.json is left: {switch_in_hand(at)}": switch_in_hand(at) is not None,
        f"the serving worker is {active[slot]}": active[slot] != "active",
        f"the other slot's worker is {active[other]}": active[other] in ("active", "activating"),
        f"the serving queue is paused: {queues}": queues.get(slot, True),
        f"the web says {release}": f'version="{version}"' not in release,
        f"status says {status}": not _status_is_true(status, slot, version),
        f"the store does not open: {plan.stdout}{plan.stderr}": plan.returncode != 0
        or json.loads(plan.stdout)["can_read"] is not True,
        f"runs are left to the worker that has gone: {left}": bool(left),
        f"deployments are on {_queues_of_deployments(at)}": _queues_of_deployments(at) != {slot},
    }
    return [words for words, wrong in found.items() if wrong]


def runs_in_hand(at: Place) -> list[tuple[str, str, str]]:
    """List the runs that Prefect calls under way: name, state, queue."""
    wanted = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
    found = prefect(at, "/flow_runs/filter", flow_runs=wanted)
    return [(run["name"], run["state_type"], run["work_queue_name"]) for run in found]


def settled(at: Place, seconds: float = 90) -> list[str]:
    """Wait until nothing is out of order; return what still is."""
    end = time.monotonic() + seconds
    while True:
        try:
            wrong = disorder(at)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            wrong = [f"cannot be told yet: {error!r}"]
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(1)


def as_portfolio(command: str, release: str = "current") -> str:
    """Say how a release's command is run as the services run it; `release` is below /opt/portfolio."""
    become = "setpriv --reuid=portfolio --regid=portfolio --init-groups --reset-env"
    return f"cd /etc/portfolio && {become} /opt/portfolio/{release}/venv/bin/portfolio {command}"


def _status_is_true(status: dict[str, Any], slot: str, version: str) -> bool:
    text = json.dumps(status)
    return f'"{slot}"' in text and f'"{version}"' in text


def _queues_of_deployments(at: Place) -> set[str]:
    found = prefect(at, "/deployments/filter", deployments={"tags": {"all_": ["managed-by:portfolio"]}})
    return {item["work_queue_name"] for item in found if not item["name"].startswith("release")}


def hold_release_tool(at: Place, where: str) -> None:
    """Have the release tool stand still when it comes to a step: the drill that docs/RELEASE.md describes."""
    (Path(at.root, RECORDS) / "hold-at").write_text(where)


def is_held(at: Place) -> bool:
    return (Path(at.root, RECORDS) / "held").exists()


def let_go(at: Place) -> None:
    """Let the release tool go on."""
    for name in ("hold-at", "held"):
        (Path(at.root, RECORDS) / name).unlink(missing_ok=True)


def kill_release_tool(at: Place, after_s: float = 0) -> bool:
    """Let the tool go on, then kill -9 it, not its unit: systemd is to notice. Tell whether there was one."""
    tool = "^/usr/bin/python3 /usr/local/sbin/portfolio-release @"
    letting_go = f"rm -f /{RECORDS}/hold-at /{RECORDS}/held; sleep {after_s}"
    return attempt(at, f"{letting_go}; pkill -9 -o -f '{tool}'").returncode == 0
