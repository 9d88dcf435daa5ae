"""The folder that a test takes for the host's root, and what the test does and sees there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.processes import is_alive
from tests.support.releases.api import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.releases.api import Api

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
ENDS_S = 60.0
LIVE = "var/lib/portfolio/live/portfolio.duckdb"


@dataclass(frozen=True, slots=True)
class FakeHost:
    """A host under a folder."""

    root: Path
    api: Api

    @property
    def environment(self) -> dict[str, str]:
        """What leads the tool to this host's systemctl, API and page."""
        path = f"{self.root}/bin:/usr/bin:/bin"
        return {"PATH": path, "PREFECT_API_URL": f"{self.api.url}/api", "PORTFOLIO_WEB_URL": self.api.url}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the release tool."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.releases.tool", "--root", str(self.root), *arguments],
            cwd=REPOSITORY, env=kept | self.environment | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run the release tool and return its exit code and words."""
        with self.start(*arguments, **environment) as tool:
            words, _ = tool.communicate(timeout=ENDS_S)
        return tool.returncode, words

    def switch(self, *arguments: str) -> tuple[int, str]:
        return self.run("switch", "--watch-s", "0", "--drain-s", "5", *arguments)

    def add(
        self, version: str, schema: int = 1, min_reader: int = 1, units: Mapping[str, str] | None = None, **odd: Any
    ) -> None:
        """Have a release installed and waiting for its switch, as `install` leaves it."""
        folder = self.root / "opt/portfolio/releases" / version
        (folder / "venv/bin").mkdir(parents=True)
        for name in ("portfolio", "python"):
            script = folder / "venv/bin" / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {HERE}/commands.py {folder} "$0" "$@"\n')
            script.chmod(0o755)
        manifest = json.loads((HERE / "manifest.json").read_text())
        manifest |= {"version": version, "schema": {"current": schema, "min_reader": min_reader}}
        manifest["files"] = {
            f"units/{name}": {"size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
            for name, text in (units or {}).items()
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        if odd:
            (folder / "odd.json").write_text(json.dumps(odd))
        self.write("var/lib/portfolio-release/candidate.json", {"version": version})

    def breaks(self, version: str, **odd: Any) -> None:
        """Have an installed release go wrong from now on."""
        self.write(f"opt/portfolio/releases/{version}/odd.json", odd)

    def write(self, path: str, document: Any) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(json.dumps(document))

    def read(self, path: str) -> Any:
        return json.loads((self.root / path).read_text())

    @property
    def store(self) -> dict[str, Any]:
        return self.read(LIVE)

    @property
    def copy(self) -> Path:
        """The copy that a migrating switch has taken of the store."""
        return (self.root / LIVE).with_name("portfolio.before-switch.duckdb")

    @property
    def replaced(self) -> list[dict[str, Any]]:
        """What an undoing has kept of stores that it replaced."""
        return [json.loads(path.read_text()) for path in (self.root / LIVE).parent.glob("portfolio.replaced-*.duckdb")]

    @property
    def records(self) -> Path:
        return self.root / "var/lib/portfolio-release"

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.records / "history.jsonl").read_text().splitlines()]

    def status(self) -> dict[str, Any]:
        code, words = self.run("status", "--json")
        assert code == 0, words
        return json.loads(words)

    def workers(self) -> dict[str, str]:
        """The release that the worker of each slot runs, of those that run."""
        units = (self.root / "units").glob("portfolio-worker@*")
        known = {unit.name[17:].partition(".")[0]: json.loads(unit.read_text()) for unit in units}
        return {slot: facts["version"] for slot, facts in known.items() if is_alive(facts["pid"])}

    def busy(self, slot: str, seconds: float) -> None:
        """Give a slot's worker a flow: a child that ends after so long; unless it is ended, it leaves `flow-ended`."""
        self._take_down(f"portfolio-worker@{slot}.service")
        unit = self.root / "units" / f"portfolio-worker@{slot}.service"
        version = (self.root / "opt/portfolio/slots" / slot).readlink().name
        worker = f"sleep {seconds}; touch flow-ended; exec sleep 100000"
        nobodys_child = ["/bin/sh", "-c", f"setsid sh -c '{worker}' >/dev/null 2>&1 & echo $!"]
        pid = subprocess.run(nobodys_child, cwd=self.root, check=True, capture_output=True, text=True).stdout
        unit.write_text(json.dumps({"pid": int(pid), "version": version}))

    def power_cut(self) -> None:
        """End every unit at once, as a host that loses power does."""
        for unit in list((self.root / "units").iterdir()):
            self._take_down(unit.name)

    def _take_down(self, unit: str) -> None:
        path = self.root / "units" / unit
        if path.exists():
            with suppress(ProcessLookupError):
                os.killpg(json.loads(path.read_text())["pid"], signal.SIGKILL)
            path.unlink()

    def kill_at(self, where: str, *arguments: str) -> str:
        """Start the tool, let it come to a place in a step, and kill it there; returns what it had said."""
        with self.held_at(where, *arguments) as tool:
            tool.kill()
            words = tool.communicate()[0]
        self.let_go()
        return words

    @contextmanager
    def held_at(self, where: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start the tool and let it come to a place in a step, where it stands still until it is let go."""
        (self.records / "hold-at").write_text(where)
        with self.start(*arguments) as tool:
            deadline = time.monotonic() + ENDS_S
            while not (self.records / "held").exists() and tool.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            if not (self.records / "held").exists():
                tool.kill()
                pytest.fail(f"{where} was not reached: {tool.communicate()[0]}")
            yield tool

    def let_go(self) -> None:
        """Let a tool that is held go on."""
        (self.records / "hold-at").unlink()


@contextmanager
def release_host(root: Path) -> Iterator[FakeHost]:
    """Make a host with a store and nothing installed, and end what runs on it."""
    with serving(root) as api:
        host = FakeHost(root, api)
        for folder in ("units", "bin", "etc/portfolio/credentials", "var/cache/portfolio", "opt/portfolio/releases"):
            (root / folder).mkdir(parents=True)
        host.records.mkdir(parents=True)
        (root / "bin/systemctl").write_text(f'#!/bin/sh\nexec {sys.executable} -IS {HERE}/systemctl.py {root} "$@"\n')
        (root / "bin/systemctl").chmod(0o755)
        (root / "etc/portfolio/credentials/prefect-auth").write_text("admin:s3cr3t\n")
        (root / "etc/portfolio/credentials/prefect-profiles.toml").write_text('active = "host"\n')
        host.write(LIVE, {"schema": 1, "min_reader": 1, "rows": 100, "decided": True})
        (root / f"{LIVE}.lock").touch()
        try:
            yield host
        finally:
            host.power_cut()
