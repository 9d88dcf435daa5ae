"""The daemon on a laptop: Prefect's server with its UI, and a worker, in the background; `make up` and `make down`.

Comes in: up or down. Goes out: two processes, whose records and logs stand in `<state>/prefect`. Never: a process
ended that was not started here; a worker ended while it runs a flow, unless that takes longer than we may wait.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess  # nosec B404  # Prefect has commands, no functions, for its server and worker
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from flows.names import WORK_POOL, local_queue
from flows.prefect_api import PrefectApi
from flows.processes import Background, wait_until
from portfolio import __version__
from portfolio.errors import PortfolioError, UsageError
from portfolio.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER = "flows.worker"
PORT = 4200  # Prefect's own
SERVER_READY_S = 180.0  # a new database takes a quarter of a minute on a quick machine
WORKER_READY_S = 90.0
DRAINED_S = 900.0  # a first fetch with retries takes minutes
SERVER_GONE_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Start or end the daemon."""
    parser = argparse.ArgumentParser(prog="python -m flows.daemon", description=__doc__)
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--source", choices=("sample", "live"), help="whose store (default: PORTFOLIO_SOURCE)")
    parser.add_argument("--port", type=int, default=PORT, help="where server and UI listen, on this machine only")
    arguments = parser.parse_args(argv)
    try:
        settings = read_settings({"PORTFOLIO_SOURCE": arguments.source} if arguments.source else {})
        daemon = Daemon(settings, arguments.port)
        lines = daemon.up() if arguments.what == "up" else daemon.down()
    except PortfolioError as error:
        print(f"make {arguments.what}: {error}", file=sys.stderr)  # noqa: T201  # the command's answer
        return int(error.exit_code)
    print("\n".join(lines))  # noqa: T201  # as above
    return 0


class Daemon:
    """Server and worker of one store; they outlive the process that started them."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.folder = settings.state_dir / "prefect"
        self.server = Background("server", self.folder)
        self.worker = Background("worker", self.folder)
        self.queue = local_queue(settings.source)
        self.port = self._port_in_use() or port
        self.other_port = port if port not in {self.port, PORT} else None
        self.api = PrefectApi(f"http://127.0.0.1:{self.port}/api")
        self.environment = os.environ | self._variables(settings)

    def up(self) -> list[str]:
        """Start what does not run yet, register the deployments, and say where the UI is.

        What an upgrade left running is ended first: its code is in memory, and its files on disk are others by now.
        """
        outdated = any(each.runs() and each.facts().get("made_of") != _made_of() for each in (self.server, self.worker))
        if outdated:
            self.down()
        if not self.server.runs():
            self._start_server()
        told = self._registered()
        self.api.pause_queue(WORK_POOL, self.queue, paused=False)
        if not self.worker.runs():
            self._start_worker()
        return [
            *told,
            *(["Started anew: what ran was of another version."] if outdated else []),
            *([f"It runs already: port {self.other_port} is for after `make down`."] if self.other_port else []),
            f"Prefect's UI: http://127.0.0.1:{self.port}",
            f"Logs: {self.server.log} and {self.worker.log}",
            "End it with `make down`; running flows finish first.",
        ]

    def down(self) -> list[str]:
        """End the worker once its flows have finished, then the server."""
        if not (self.server.runs() or self.worker.runs()):
            return ["Nothing runs."]
        if self.worker.runs():
            self._drain()
            self.worker.end(SERVER_GONE_S)
        self.server.end(SERVER_GONE_S)
        return ["Ended."]

    def _start_server(self) -> None:
        if _is_taken(self.port):
            message = f"Port {self.port} is in use by another program: end it, or `make up PORT=4201` say."
            raise UsageError(message)
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.server.start(
            [sys.executable, "-m", "prefect", *command],
            self.environment,
            {"port": self.port, "url": self.api.url, "made_of": _made_of()},
        )
        self.server.wait_for(self.api.is_ready, SERVER_READY_S)

    def _start_worker(self) -> None:
        name = f"{self.queue}-{os.getpid()}"
        command = [
            "worker",
            "start",
            "--pool",
            WORK_POOL,
            "--work-queue",
            self.queue,
            "--name",
            name,
            "--type",
            "process",
        ]
        self.worker.start(
            [sys.executable, "-m", WORKER, *command], self.environment, {"name": name, "made_of": _made_of()}
        )
        self.worker.wait_for(lambda: self.api.worker_is_online(WORK_POOL, name), WORKER_READY_S)

    def _registered(self) -> list[str]:
        """Register in a process of its own: Prefect reads its settings from the environment when it is imported."""
        beside = ["--beside-worker"] if self.worker.runs() else []
        ended = subprocess.run(  # noqa: S603  # nosec B603  # our own module
            [sys.executable, "-m", "flows.startup", "--queue", self.queue, *beside],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            message = f"The deployments could not be registered: {ended.stderr.strip()[-2000:]}"
            raise PortfolioError(message)
        return ended.stdout.splitlines()

    def _drain(self) -> None:
        """Take no new run and let the running ones finish; Prefect's worker kills them when it is told to end."""
        if self.api.answers():
            self.api.pause_queue(WORK_POOL, self.queue, paused=True)
        if not wait_until(lambda: not self.worker.children(), DRAINED_S):
            print(f"A flow still runs after {DRAINED_S:g} s: it is ended.", file=sys.stderr)  # noqa: T201

    def _port_in_use(self) -> int | None:
        return self.server.facts().get("port") if self.server.runs() else None

    def _variables(self, settings: Settings) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.port}"
        return {
            "PORTFOLIO_SOURCE": settings.source,
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_SERVER_UI_API_URL": f"{url}/api",  # what the browser asks
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self.folder / "ui"),
            # Prefect's default lets every web page that is open in a browser ask its API, which shows and starts all.
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{self.port}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "portfolio,flows",
            "PREFECT_WORKER_QUERY_SECONDS": "5",
            # A run that stops sending these is closed as Crashed: flows.automations.
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }


def _made_of() -> str:
    """Name what the processes consist of, as far as another one of it would have to be started anew."""
    return f"portfolio {__version__}, prefect {version('prefect')}, {WORKER}"


def _is_taken(port: int) -> bool:
    with socket.socket() as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a server just ended do not count
        try:
            here.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
