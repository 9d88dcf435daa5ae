"""What a small release answers to the tool: the commands of the contract, on a store that is a JSON file.

Its folder's `odd.json` says what is wrong with it. Standard library only: it is started some ten times a switch.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path

RELEASE = Path(sys.argv[1])
ODD = json.loads((RELEASE / "odd.json").read_text()) if (RELEASE / "odd.json").exists() else {}
MANIFEST = json.loads((RELEASE / "manifest.json").read_text())
ROOT = RELEASE.parents[3]
LIVE = ROOT / "var/lib/portfolio/live/portfolio.duckdb"
STORE = Path(os.environ.get("DUCKDB_FILE", LIVE))
PATHS = {"store": str(LIVE), "published": str(LIVE.with_suffix(".published.duckdb")), "state": str(LIVE.parent)}
WANTED = MANIFEST["schema"]["current"]


def main(name: str, *arguments: str) -> int:
    told = name if name == "portfolio" else arguments[1]
    with (ROOT / "commands.log").open("a") as log:
        log.write(json.dumps([MANIFEST["version"], told, *arguments]) + "\n")
    return startup(*arguments[2:]) if told == "flows.startup" else COMMANDS[arguments[0]](*arguments[1:])


def startup(*arguments: str) -> int:
    queue, what = arguments[1], arguments[2]
    if what == "--register-only":
        registered = {"queue": queue, "version": MANIFEST["version"], "secret": bool(_lent())}
        (ROOT / "registered.json").write_text(json.dumps(registered))
        (ROOT / "pool-is-there").touch()
    if ODD.get("register") == "fails":
        return _refuse("cannot register")
    print("Deployments: all of them")
    return 0


def _lent() -> str:
    profile = os.environ.get("PREFECT_PROFILES_PATH")
    return Path(profile).read_text() if profile else ""


def config(*_: str) -> int:
    print(json.dumps({"settings": {}, "paths": PATHS}))
    return 0


def migrate(*arguments: str) -> int:
    if STORE.stem.endswith(".published"):
        return _refuse("Settings that break a rule: DUCKDB_FILE: must be no published copy")
    store = json.loads(STORE.read_text())
    pending = [f"{step:04d} step" for step in range(store["schema"] + 1, WANTED + 1)]
    min_reader = max(store["min_reader"], MANIFEST["schema"]["min_reader"] if pending else 0)
    if "--plan" in arguments:
        can_read = store["min_reader"] <= WANTED
        print(json.dumps({"pending": pending, "min_reader": min_reader, "can_read": can_read}))
        return 0
    if STORE == LIVE and not _is_locked_for_us():
        return _refuse("the live store is migrated without its lock")
    if ODD.get("migrate") == "fails":
        return _refuse("no such table")
    if ODD.get("migrate") == "fails live" and STORE == LIVE:
        return _refuse("no such table in the live store")
    _write(store | {"schema": max(store["schema"], WANTED), "min_reader": min_reader})
    return 0


def _is_locked_for_us() -> bool:
    with Path(f"{STORE}.lock").open() as another:
        try:
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(int(os.environ["PORTFOLIO_LOCK_FD"]), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _write(store: dict[str, object]) -> None:
    aside = STORE.with_suffix(".aside")
    aside.write_text(json.dumps(store))
    aside.replace(STORE)


def publish(*_: str) -> int:
    if ODD.get("publish") == "fails":
        return _refuse("No space left on device")
    if json.loads(STORE.read_text())["schema"] < WANTED:
        return _refuse("the store is older than this release: migrate it")
    STORE.with_suffix(".published.duckdb").write_text(STORE.read_text())
    return 0


def restore(*arguments: str) -> int:
    if ODD.get("restore") == "refuses":
        return _refuse("the backup is damaged")
    workers = [unit.name for unit in (ROOT / "units").glob("portfolio-worker@*")]
    restored = {"from": arguments[0], "forced": "--force" in arguments, "workers": workers}
    _write(json.loads(STORE.read_text()) | {"restored": restored})
    print("Restored.")
    return 0


def report(*_: str) -> int:
    return publish()


def health(*_: str) -> int:
    if "health" in ODD.get("broken", ""):
        return _refuse("Traceback: no health")
    where = "live" if STORE == LIVE else "copy"
    bad = where in ODD.get("unhealthy", "")
    check = {"check": "signal", "status": "UNHEALTHY" if bad else "HEALTHY", "seen": "nothing decided"}
    print(json.dumps({"status": check["status"], "checks": [check]}))
    return int(bad)


def signal(*arguments: str) -> int:
    answer = {
        "session": "2019-01-02", "as_of": "2018-12-31", "decision": "TARGET", "weights": {"CASH": 0.6, "WPEA.PA": 0.4},
        "limits_bound": [], "model_id": "hmm-1", "target": None, "decided_at": "2019-01-02T06:30:00+00:00",
        "regime": {"probabilities": {"calm": 0.25 + ODD.get("rounding", 0.0)}},
    }  # fmt: skip
    ours = answer | ({"weights": {"CASH": 1.0}} if ODD.get("signal") == "differs" else {})
    if ODD.get("signal") == "broken":
        return _refuse("The model's files are gone")
    if not json.loads(STORE.read_text())["decided"]:
        print(json.dumps({"logged": None, "recomputed": None}))
        return _refuse("The log has no decision at all")
    document = {"logged": answer, "recomputed": answer} if "--replay" in arguments else ours
    print(json.dumps(document))
    return 0


def orders(*_: str) -> int:
    quantity = 2 if ODD.get("orders") == "differ" else 1
    print(json.dumps({"orders": [{"side": "BUY", "ticker": "WPEA.PA", "quantity": quantity}]}))
    return 0


def run(*_: str) -> int:
    time.sleep(ODD.get("sample_s", 0))
    return _refuse("the sample's day fails") if ODD.get("run") == "fails" else 0


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


COMMANDS = {
    "config": config, "migrate": migrate, "publish": publish, "health": health, "signal": signal, "orders": orders,
    "run": run, "restore": restore, "report": report,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[2]).name, *sys.argv[3:]))
