"""HTTP to the machine's own loopback: this host steps into its network namespace for one request."""

from __future__ import annotations

import base64
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING, Any

from tests.support.machine.place import PROJECT

if TYPE_CHECKING:
    from tests.support.machine.place import Place

PREFECT = "http://127.0.0.1:4200"
WEB = "http://127.0.0.1:8080"
# What a server answers whose SQLite is locked for a moment; a client of Prefect asks again, too.
BUSY = 503
PATIENCE = 10
# Runs inside the namespace: method, URL, headers and body come as JSON, the answer goes out as JSON.
_ONE_REQUEST = """
import json, sys, urllib.error, urllib.request
ask = json.load(sys.stdin)
body = ask["body"].encode() if ask["body"] is not None else None
request = urllib.request.Request(ask["url"], data=body, method=ask["method"], headers=ask["headers"])
try:
    with urllib.request.urlopen(request, timeout=ask["seconds"]) as answer:
        out = {"status": answer.status, "headers": dict(answer.headers), "text": answer.read().decode(errors="replace")}
except urllib.error.HTTPError as error:
    out = {"status": error.code, "headers": dict(error.headers), "text": error.read().decode(errors="replace")}
except OSError as error:
    out = {"status": 0, "headers": {}, "text": str(error)}
json.dump(out, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; status 0 is none at all, the text says why."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def into_namespace(at: Place, *command: str) -> list[str]:
    """Return the command line that runs a program of this host in the machine's network."""
    return ["ip", "netns", "exec", at.name, *command]


def request(
    at: Place,
    url: str,
    *,
    method: str = "GET",
    document: Any = None,
    headers: dict[str, str] | None = None,
    seconds: float = 30,
) -> Answer:
    """Send one request to the machine's loopback."""
    sent = {"content-type": "application/json"} if document is not None else {}
    ask = {
        "url": url,
        "method": method,
        "headers": sent | (headers or {}),
        "body": None if document is None else json.dumps(document),
        "seconds": seconds,
    }
    ended = run(
        into_namespace(at, sys.executable, "-c", _ONE_REQUEST),
        input=json.dumps(ask),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=seconds + 15,
        check=True,
    )
    return Answer(**json.loads(ended.stdout))


def prefect(at: Place, path: str, *, method: str = "POST", **document: Any) -> Any:
    """Ask the machine's Prefect API as one who knows its password."""
    password = Path(at.root, "etc/portfolio/credentials/prefect-auth").read_text().strip()
    headers = {"authorization": "Basic " + base64.b64encode(password.encode()).decode()}
    sent = None if method == "GET" else document
    tries = 1
    while (answer := request(at, f"{PREFECT}/api{path}", method=method, document=sent, headers=headers)).status == BUSY:
        if tries == PATIENCE:
            break
        tries += 1
        time.sleep(0.5)
    if answer.status not in (200, 201, 204):
        message = f"Prefect answers {method} {path} with {answer.status}: {answer.text[:500]}"
        raise RuntimeError(message)
    return answer.json() if answer.text else None
