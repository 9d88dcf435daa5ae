"""A flow that runs for a while, put on the machine as a deployment of its own: what a switch must not harm."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.machine.loopback import prefect

if TYPE_CHECKING:
    from tests.support.machine.place import Place

ENGINE = "python -m prefect.engine"  # that of flows.deployments, which the controller cannot import
FOLDER = "/var/lib/portfolio/test-flow"
TEXT = '''
import sys, time
from pathlib import Path
from prefect import flow

@flow(name="long")
def long(seconds: float, mark: str):
    """Write down where it began and where it ended: the same release, once."""
    with Path("{folder}", mark).open("a") as lines:
        print("began", sys.prefix, Path(sys.prefix).resolve(), file=lines, flush=True)
        time.sleep(seconds)
        import sqlite3, csv  # imported late, as Prefect does
        print("ended", sys.prefix, Path(sys.prefix).resolve(), file=lines, flush=True)
'''.replace("{folder}", FOLDER)


def place_flow(at: Place, queue: str) -> str:
    """Put the flow on the machine and its deployment on a queue; return the deployment's id."""
    folder = Path(at.root, FOLDER.lstrip("/"))
    owner = folder.parent.stat()
    folder.mkdir(exist_ok=True)
    (folder / "long_flow.py").write_text(TEXT)
    _give(folder, owner.st_uid, owner.st_gid)
    flow = prefect(at, "/flows/", name="long")
    made = prefect(
        at,
        "/deployments/",
        name="test",
        flow_id=flow["id"],
        work_pool_name="portfolio",
        work_queue_name=queue,
        entrypoint=f"{FOLDER}/long_flow.py:long",
        job_variables={"command": ENGINE, "working_dir": FOLDER},
        enforce_parameter_schema=False,
    )
    return made["id"]


def _give(folder: Path, user: int, group: int) -> None:
    for path in (folder, *folder.iterdir()):
        os.chown(path, user, group)


def begin(at: Place, deployment: str, seconds: float, mark: str) -> str:
    """Start the flow and return its run's id once it says that it began."""
    run = prefect(at, f"/deployments/{deployment}/create_flow_run", parameters={"seconds": seconds, "mark": mark})
    file = Path(at.root, FOLDER.lstrip("/"), mark)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if file.exists() and "began" in file.read_text():
            return run["id"]
        time.sleep(0.2)
    message = f"The long flow did not begin within a minute: {state(at, run['id'])}."
    raise RuntimeError(message)


def state(at: Place, run: str) -> dict[str, Any]:
    return prefect(at, f"/flow_runs/{run}", method="GET")["state"]


def lines(at: Place, mark: str) -> list[list[str]]:
    """Return what the flow wrote down, by words."""
    file = Path(at.root, FOLDER.lstrip("/"), mark)
    return [line.split() for line in file.read_text().splitlines()]
