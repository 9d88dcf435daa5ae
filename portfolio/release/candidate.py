"""The candidate check: a release proves itself on a copy of the live store before anything of it is to be seen.

It migrates the copy, looks at its health, takes the newest logged decision again, and runs a whole day on the sample.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from portfolio.release import live_store
from portfolio.release.agreement import decided_by, ensure_agrees
from portfolio.release.failures import RefusedError, ReleaseError
from portfolio.release.health import health_before, unhealthy
from portfolio.release.journal import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portfolio.release.agreement import Decided
    from portfolio.release.host import Host
    from portfolio.release.live_store import Places, Plan

HOLD = 3  # the sample's day ended in a HOLD: a setting's doing, and no fault of the release
FOLDER = "candidate-check"
UNITS = "units/"  # where an artefact has them
BESIDE = ("models", "status", "report")  # what health and a decision read beside the store


def check(host: Host, version: str, serving: str | None, expected_change: str) -> Plan | None:
    """Check a candidate against the live data; returns what it would do to the store, None when there is none.

    Raises ReleaseError when it fails, RefusedError when its decision is another one and no change was expected.
    """
    at = live_store.places(host, version)
    with _folder(host, at) as folder:
        plan = _check_on_copy(host, version, serving, at, folder, expected_change) if at.store.exists() else None
        if plan is None:
            say("check: there is no store yet, so there is no decision to reproduce")
        _smoke(host, version, folder)
    _compare_units(host, version)
    say(f"check: {version} passed")
    return plan


def _check_on_copy(
    host: Host, version: str, serving: str | None, at: Places, folder: Path, expected_change: str
) -> Plan:
    copied = folder / "portfolio.duckdb"
    settings = {"DUCKDB_FILE": str(copied)}
    with live_store.locked(host, at.store):
        live_store.copy(host, at.store, copied)
    _copy_beside(host, at, folder / "portfolio")
    plan = live_store.plan(host, version, copied)
    if not plan.can_read:
        message = f"Release {version} cannot read the store: it needs a release that knows schema {plan.min_reader}."
        raise RefusedError(message)
    before = _decided_today(host, serving, settings, expected_change)
    host.must(version, "portfolio", "migrate", settings=settings)
    host.must(version, "portfolio", "publish", settings=settings)
    say(f"check: the copy is migrated ({', '.join(plan.pending) or 'nothing to do'})")
    _check_health(host, version, serving, settings)
    if before:
        ensure_agrees(host, version, settings, before, expected_change)
    return plan


def _decided_today(
    host: Host, serving: str | None, settings: Mapping[str, str], expected_change: str
) -> Decided | None:
    """Let the serving release decide on the copy, before the candidate migrates it; None: nothing to agree with.

    Raises RefusedError when it cannot and no change was expected: a broken release must not keep its successor away.
    """
    if serving is None:
        say("check: no release serves, so there is no decision of its to reproduce")
        return None
    try:
        host.must(serving, "portfolio", "publish", settings=settings)  # what a replay reads
        return decided_by(host, serving, settings)
    except ReleaseError as error:
        if expected_change:
            say(f"check: {serving} cannot decide, so nothing is compared ({expected_change}): {error}")
            return None
        message = (
            f"The serving release {serving} cannot decide on a copy of the store, so nothing can be compared with it: "
            f'{error} To switch all the same: --expect-signal-change "the reason", which is recorded.'
        )
        raise RefusedError(message) from error


def _check_health(host: Host, version: str, serving: str | None, settings: Mapping[str, str]) -> None:
    """Refuse what is unhealthy to the candidate and was not so to the serving release."""
    known = health_before(host, serving)
    found = unhealthy(host, version, settings)
    if known is None:
        say(f"check: with its health on the copy nothing can be compared; unhealthy: {', '.join(found) or 'nothing'}")
        return
    new = {name: seen for name, seen in found.items() if name not in known}
    if new and serving:
        told = "; ".join(f"{name}: {seen}" for name, seen in new.items())
        message = f"Release {version} finds the copy unhealthy where {serving} finds the live store well: {told}."
        raise ReleaseError(message)
    say("check: its health on the copy is no worse than the serving release's")


def _smoke(host: Host, version: str, folder: Path) -> None:
    """Run the whole day on the embedded sample, in a store of its own."""
    settings = {"DATA_DIR": str(folder / "smoke"), "DUCKDB_FILE": str(folder / "smoke.duckdb")}
    ended = host.run_release(version, "portfolio", "run", "--source", "sample", "--json", settings=settings)
    if ended.returncode not in {0, HOLD}:
        message = f"Release {version}: the sample's day ended with {ended.returncode}: {ended.stderr.strip()[-1500:]}"
        raise ReleaseError(message)
    say("check: the sample's day ended well")


def _compare_units(host: Host, version: str) -> None:
    """Tell which units the release would have otherwise; they are the role's to install, not a release's."""
    files = host.layout.manifest(version).files.items()
    units = {host.layout.units / Path(name).name: of.sha256 for name, of in files if name.startswith(UNITS)}
    differ = [unit.name for unit, wanted in units.items() if not unit.is_file() or _sha256(unit) != wanted]
    if differ:
        told = ", ".join(sorted(differ))
        say(f"check: the host's units are not those of {version} ({told}): `make provision` of its commit brings them")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def clear(host: Host, version: str) -> None:
    """Leave nothing of a check that was killed, as far as the release can say where it was."""
    with suppress(ReleaseError):
        shutil.rmtree(live_store.places(host, version).state.parent / FOLDER, ignore_errors=True)


@contextmanager
def _folder(host: Host, at: Places) -> Iterator[Path]:
    """Make a folder beside the stores that is the services' user's, and leave nothing of it."""
    folder = at.state.parent / FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of a check that was killed
    made = host.run_as_service(["mkdir", "-p", "--", str(folder)], None, (), 10)
    if made.returncode:
        message = f"{folder} cannot be made: {made.stderr.strip()}"
        raise ReleaseError(message)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_beside(host: Host, at: Places, state: Path) -> None:
    there = [str(at.state / name) for name in BESIDE if (at.state / name).is_dir()]
    script = 'mkdir -p -- "$1" && to="$1" && shift && for one in "$@"; do cp -r -- "$one" "$to/"; done'
    copied = host.run_as_service(["/bin/sh", "-c", script, "sh", str(state), *there], None, (), 600)
    if copied.returncode:
        message = f"Models and status files cannot be copied for the check: {copied.stderr.strip()}"
        raise ReleaseError(message)
