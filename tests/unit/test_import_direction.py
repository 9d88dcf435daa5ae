"""The direction of the house: which room may know which, and who may touch SQL, environment, files and the clock."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OTHERS = ("flows", "tests", "bench")  # which portfolio never imports

# What each room may import of portfolio, as prefixes of module names; itself it may always.
PURE = ("features", "regime", "allocation", "ledger", "orders", "performance")
RECORDS = ("errors", "findings", "universe")
EDGES = ("report", "sources", "store")
ALLOWED: dict[str, tuple[str, ...]] = {
    "errors": (),
    "findings": (),
    "universe": ("errors",),
    "clock": (),
    "sessions": ("errors",),
    "logs": ("errors",),
    "atomic": (),
    "processes": (),
    "status": ("atomic", "processes"),
    "settings_files": ("errors",),
    "settings_refusals": ("settings_files",),
    "settings_outside": ("errors",),
    # the policy's tables are defaults of settings, and its rules theirs
    "settings": ("errors", "settings_files", "settings_outside", "settings_refusals", "allocation.policy"),
    "settings_docs": ("settings",),
    "settings_logs": ("settings", "logs"),
    "running": (),
    "systemd": ("errors",),
    # pure: values in, values out
    "features": RECORDS,
    "regime": RECORDS,
    "allocation": RECORDS,
    "ledger": RECORDS,
    "orders": (*RECORDS, "allocation", "ledger"),
    "performance": RECORDS,
    # edges
    "sources": (*RECORDS, "sessions"),
    "store": (*RECORDS, "processes", "sources.checks"),  # the record that is appended
    "report": (*RECORDS, "atomic", "sessions"),
    "backup": (*RECORDS, "atomic", "sessions", "store"),
    "health": (*RECORDS, "backup", "store", "settings", "status"),
    "web": (*RECORDS, "health", "running", "settings", "status", "store", "systemd"),
    # the host's own tool, which stands beside the releases: no word of settings, DuckDB or calendars
    "release": ("atomic", "errors", "processes", "store.lock", "systemd"),
    # composers
    "day": (
        *RECORDS,
        *PURE,
        *EDGES,
        "backup",
        "clock",
        "health.heartbeat",
        "sessions",
        "settings",
        "settings_logs",
        "status",
    ),
    "cli": ("",),
    "__main__": ("cli",),
    "__init__": (),
}
BANNED_IN_PURE = frozenset(
    {"duckdb", "prefect", "logging", "pydantic_settings", "time", "zoneinfo", "requests", "urllib", "http", "socket"}
    | {"subprocess", "threading", "exchange_calendars", "yfinance", "fredapi", "random", "secrets"}
)
FILE_CALLS = (".open", ".read_text", ".read_bytes", ".write_text", ".write_bytes", ".unlink", ".mkdir", ".read_csv")

# Exceptions, each with its reason.
CLOCK_READERS = {
    "clock.py": "the one clock",
    "store/lock.py": "since when a process holds the lock, for a person; no decision sees it",
}
FILE_USERS_IN_PURE = {
    "regime/artifact.py": "models are files",
    "ledger/csv_format.py": "the ledger's file is its format",
}
ENVIRONMENT_READERS = {
    "settings.py": "the one reader",
    "settings_files.py": "its part that reads files",
    "store/lock.py": "where the release tool hands its own lock to the command it runs",
    "systemd.py": "what systemd hands a service lies there, and is no setting",
    "settings_refusals.py": "its part that says which value was seen",
}

# It has no release's settings, and its clock decides nothing about money.
OUTSIDE = ("release",)


def sources(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), ast.parse(path.read_text("utf-8"))


def room_of(name: str) -> str:
    return name.split("/", maxsplit=1)[0].removesuffix(".py")


def imports_of(tree: ast.Module, package: tuple[str, ...] = ()) -> set[str]:
    """Full names of all that a module imports, wherever in it: in functions and for type checking, too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            found |= {f"{base}.{name.name}" for name in node.names}
    return found


def attributes_of(tree: ast.Module) -> set[str]:
    """Dotted attributes of names as they are written: os.environ, path.read_text, connection.execute."""
    return {
        f"{node.value.id if isinstance(node.value, ast.Name) else ''}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }


def package_of(name: str) -> tuple[str, ...]:
    return ("portfolio", *name.split("/")[:-1])


MODULES = list(sources(ROOT / "portfolio"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import portfolio.store.prices as p", {"portfolio.store.prices"}),
        ("from portfolio.store import prices, lock", {"portfolio.store.prices", "portfolio.store.lock"}),
        ("from ..store import prices", {"portfolio.store.prices"}),
        ("from .x import y", {"portfolio.room.x.y"}),
        ("def f():\n    import duckdb", {"duckdb"}),
        ("if TYPE_CHECKING:\n    from portfolio.day import run", {"portfolio.day.run"}),
    ],
)
def test_every_form_of_import_is_seen(text, found):
    assert imports_of(ast.parse(text), ("portfolio", "room")) == found


def test_the_walk_sees_the_rooms():
    rooms = {room_of(name) for name, _ in MODULES}
    assert rooms >= {"features", "regime", "allocation", "orders", "ledger", "sources", "store", "day", "cli"}
    assert rooms <= ALLOWED.keys(), "a new room needs its place in the house"


@pytest.mark.parametrize(("name", "tree"), MODULES, ids=[name for name, _ in MODULES])
def test_module_imports_only_rooms_that_its_room_may_know(name, tree):
    allowed = (*ALLOWED[room_of(name)], room_of(name))
    for imported in imports_of(tree, package_of(name)):
        top, _, inside = imported.partition(".")
        assert top not in OTHERS, f"{name} imports {imported}"
        if top == "portfolio" and inside not in ("", "__version__"):
            known = any(inside == prefix or inside.startswith(f"{prefix}.") or not prefix for prefix in allowed)
            assert known, f"{name} imports {imported}; {room_of(name)} may import {allowed}"


@pytest.mark.parametrize("name", [name for name, _ in MODULES if room_of(name) in PURE])
def test_pure_room_knows_no_store_network_clock_log_or_file(name):
    tree = dict(MODULES)[name]
    tops = {imported.split(".")[0] for imported in imports_of(tree, package_of(name))}
    assert not tops & BANNED_IN_PURE
    touched = {attribute for attribute in attributes_of(tree) if attribute.endswith(FILE_CALLS)}
    assert not touched or name in FILE_USERS_IN_PURE, f"{name} uses {touched}"


def test_only_the_store_speaks_to_the_database():
    for name, tree in MODULES:
        speaks = {attribute for attribute in attributes_of(tree) if attribute.endswith((".execute", ".executemany"))}
        imports = {imported for imported in imports_of(tree) if imported.split(".")[0] == "duckdb"}
        assert room_of(name) == "store" or not speaks | imports, name


def test_only_settings_read_the_environment():
    asked = {"os.environ", "os.getenv", "os.environb"}
    readers = {name for name, tree in MODULES if attributes_of(tree) & asked and room_of(name) not in OUTSIDE}
    assert readers <= ENVIRONMENT_READERS.keys()


def test_only_the_clock_reads_the_clock():
    asked = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
    asked |= {"Timestamp.now", ".now", ".utcnow", ".today"}
    readers = {name for name, tree in MODULES if attributes_of(tree) & asked and room_of(name) not in OUTSIDE}
    assert readers == CLOCK_READERS.keys()


def test_only_flows_know_prefect_and_they_keep_out_of_the_rooms_inside():
    assert not [name for name, tree in MODULES if {top.split(".")[0] for top in imports_of(tree)} & {"prefect"}]
    inside = ("portfolio.features", "portfolio.regime", "portfolio.allocation", "portfolio.orders")
    for name, tree in sources(ROOT / "flows"):
        assert not [found for found in imports_of(tree) if found.startswith(inside)], name


@pytest.mark.parametrize("name", [name for name, _ in MODULES if room_of(name) in OUTSIDE])
def test_release_tool_needs_nothing_but_python(name):
    tops = {imported.split(".")[0] for imported in imports_of(dict(MODULES)[name], package_of(name))}
    assert tops <= sys.stdlib_module_names | {"portfolio"}
