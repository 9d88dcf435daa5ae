"""Prefect's API and the web service as far as the tool asks them: pool, queues, workers, one kind of run."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTH = "Basic YWRtaW46czNjcjN0"  # admin:s3cr3t


@dataclass
class Api:
    """What the server knows. `dead` answers nothing; `smoke` is how a run ends; `web` whether the page answers."""

    root: Path
    url: str = ""
    queues: dict[str, bool] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    workers: dict[str, str] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    smoke: str = "COMPLETED"
    web: bool = True
    dead: bool = False

    def answer(self, method: str, path: str, document: Any) -> tuple[int, Any]:
        if path == "/healthz":
            serving = (self.root / "opt/portfolio/current").resolve().name
            return (200 if self.web else 503), {"release": serving}
        if self.dead:
            return 503, {}
        path = path.removeprefix("/api")
        if match := re.fullmatch(r"/work_pools/portfolio/queues(?:/(.+))?", path):
            return self._queue(method, match[1] or document["name"], document)
        if match := re.fullmatch(r"/work_pools/portfolio/workers/(worker-.+)", path):
            return (204, {}) if self.workers.pop(match[1], None) else (404, {})
        if match := re.fullmatch(r"/flow_runs/(.+)/set_state", path):
            self.smoke = document["state"]["type"]
            return 201, {}
        return self._other(path)

    def _queue(self, method: str, name: str, document: Any) -> tuple[int, Any]:
        if method != "POST" and name not in self.queues:
            return 404, {}
        if document:
            self.queues[name] = document["is_paused"]
            self.events.append((name, "paused" if document["is_paused"] else "open"))
        return 200, {"is_paused": self.queues[name]}

    def _other(self, path: str) -> tuple[int, Any]:
        seen = datetime.now(UTC).isoformat()
        known = {
            "/ready": True,
            "/work_pools/portfolio/workers/filter": [
                {"name": name, "status": status, "last_heartbeat_time": seen} for name, status in self.workers.items()
            ],
            "/flow_runs/filter": [{"state": {"timestamp": at}} for at in self.pending],
            "/deployments/name/smoke/blue": {"id": "d1"},
            "/deployments/name/smoke/green": {"id": "d1"},
            "/deployments/d1/create_flow_run": {"id": "r1"},
            "/flow_runs/r1": {"state": {"type": self.smoke, "message": "as the test wants it"}},
        }
        registered = self.root / "registered.json"
        if registered.exists():
            known["/deployments/filter"] = [{"work_queue_name": json.loads(registered.read_text())["queue"]}]
        if (self.root / "pool-is-there").exists():
            known["/work_pools/portfolio"] = {}
        return (200, known[path]) if path in known else (404, {})


@contextmanager
def serving(root: Path) -> Iterator[Api]:
    """Serve on a free port until the end."""
    api = Api(root)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            document = json.loads(self.rfile.read(length)) if length else None
            allowed = self.path == "/healthz" or self.headers.get("Authorization") == AUTH
            status, answer = api.answer(self.command, self.path, document) if allowed else (401, {})
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # the names that the standard library asks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
