"""A systemctl for the tool's few words: a unit that runs is a process, which survives whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(sys.argv[1])
UNITS = ROOT / "units"
IDLE = ["/bin/sleep", "100000"]


def main(verb: str, *arguments: str) -> int:
    with (ROOT / "systemctl.log").open("a") as log:
        log.write(json.dumps([verb, *arguments]) + "\n")
    return VERBS[verb](*(argument for argument in arguments if argument != "--no-block"))


def show(*arguments: str) -> int:
    name, unit = arguments[1].removeprefix("--property="), arguments[2]
    pid = running(unit)
    print({"MainPID": str(pid), "ActiveState": "active" if pid else "inactive", "ControlGroup": ""}[name])
    return 0


def start(unit: str) -> int:
    slot = unit.partition("@")[2].partition(".")[0]
    odd = _odd(slot)
    if odd.get("worker") == "crashes":
        print(f"Job for {unit} failed because the control process exited with error code.", file=sys.stderr)
        return 1
    if not running(unit):
        command = ["/bin/sleep", "2"] if odd.get("worker") == "dies" else IDLE
        process = subprocess.Popen(
            command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        version = (ROOT / "opt/portfolio/slots" / slot).readlink().name if slot else ""
        (UNITS / unit).write_text(json.dumps({"pid": process.pid, "version": version}))
    return 0


def _odd(slot: str) -> dict[str, str]:
    path = ROOT / "opt/portfolio/slots" / slot / "odd.json"
    return json.loads(path.read_text()) if slot and path.exists() else {}


def stop(*units: str) -> int:
    for unit in units:
        if pid := running(unit):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        (UNITS / unit).unlink(missing_ok=True)
    return 0


def restart(unit: str) -> int:
    stop(unit)
    return start(unit)


def running(unit: str) -> int:
    """The process of a unit, 0 when it has none or it has ended."""
    try:
        pid = int(json.loads((UNITS / unit).read_text())["pid"])
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


def is_system_running() -> int:
    print("stopping" if (ROOT / "going-down").exists() else "running")
    return 0


VERBS = {
    "is-system-running": is_system_running,
    "show": show,
    "start": start,
    "stop": stop,
    "restart": restart,
    "reset-failed": lambda *_: 0,
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:]))
