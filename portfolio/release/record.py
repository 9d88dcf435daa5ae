"""What the tool writes down: the switch in hand before each of its steps, and a line for each that has ended."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from portfolio.atomic import READABLE_BY_ALL, replace_text
from portfolio.release.failures import BusyError, ReleaseError
from portfolio.store.lock import OWNER_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portfolio.release.layout import Slot

Verb = Literal["switch", "rollback"]
Outcome = Literal["done", "rolled-back", "failed"]
UNTOUCHED = ("prepare", "check")  # steps in which nothing has been done to the release that serves
RESUMED = ("leave", "watch", "confirm")  # steps in which the new release is given its runs


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch in hand; `step` is the one that has begun. What undoing needs is written before it is needed."""

    verb: Verb
    to_slot: Slot
    to_version: str
    from_slot: Slot | None
    from_version: str | None
    started_at: str
    step: str = ""
    # The options it was started with, and what the slot held before.
    expected_change: str = ""
    replaced_in_slot: str | None = None
    # The store: its file, whether this switch migrates it, its hashes before and after, and whether the old release
    # could read the result.
    store: str = ""
    migrates: bool = False
    can_go_back: bool = True
    before_sha256: str = ""
    migrated_sha256: str = ""
    # How far an undoing is with giving the store back its state before: "", "begun", "done".
    put_back: str = ""
    # When scheduling was paused and went on, checks that were unhealthy before, the proving run, seconds of each step.
    paused_at: str = ""
    resumed_at: str = ""
    unhealthy_before: tuple[str, ...] | None = ()  # None: the release before could not say
    smoke_run: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    # Why it is being undone; empty while it goes forward.
    undoing: str = ""

    def gives_out(self, slot: Slot) -> bool:
        """Tell whether a slot is given its runs while this switch is in hand."""
        if slot == self.from_slot:
            return self.step in UNTOUCHED
        return slot == self.to_slot and self.step in RESUMED and not self.undoing

    def paused_s(self) -> float:
        """How long scheduling stood still, as far as it is known.

        Without a migration that is while the new worker starts and takes over what waits in the old queue.
        """
        if not self.paused_at:
            return self.seconds.get("start", 0.0) if self.from_slot else 0.0
        until = datetime.fromisoformat(self.resumed_at) if self.resumed_at else datetime.now(UTC)
        return round((until - datetime.fromisoformat(self.paused_at)).total_seconds(), 1)


def now() -> str:
    """Return the instant, as it is written down."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Records:
    """The tool's folder of records."""

    folder: Path

    def switch(self) -> Switch | None:
        """Read the switch in hand, None when there is none."""
        values = _read(self.folder / "switch.json")
        if values is None:
            return None
        before = values["unhealthy_before"]
        return Switch(**values | {"unhealthy_before": None if before is None else tuple(before)})

    def keep(self, switch: Switch) -> Switch:
        """Write the switch in hand down, before what it says is done."""
        replace_text(self.folder / "switch.json", json.dumps(asdict(switch), indent=1) + "\n")
        return switch

    def end(self, switch: Switch, outcome: Outcome, reason: str) -> None:
        """Add the line of an ended switch, then forget that it was in hand."""
        line = {
            "at": now(), "verb": switch.verb, "from": switch.from_version, "to": switch.to_version,
            "slot": switch.to_slot, "outcome": outcome, "step": switch.step, "reason": reason,
            "paused_s": switch.paused_s(), "step_s": switch.seconds, "expected_change": switch.expected_change,
            "started_at": switch.started_at,
        }  # fmt: skip
        if self._newest() != (switch.started_at, outcome):  # killed between the two: the line is there
            _append(self.folder / "history.jsonl", json.dumps(line))
        (self.folder / "switch.json").unlink(missing_ok=True)

    def history(self) -> list[dict[str, Any]]:
        """Read the ended switches, oldest first; a line that a crash tore is passed over."""
        try:
            lines = (self.folder / "history.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [document for line in lines if (document := _line(line)) is not None]

    def replaced_by(self, version: str) -> str | None:
        """Tell which release a serving one replaced; None after a rollback, which is not rolled back in its turn."""
        done = [line for line in self.history() if line["outcome"] == "done"]
        newest = done[-1] if done else {}
        return newest["from"] if newest.get("to") == version and newest["verb"] == "switch" else None

    def candidate(self) -> str | None:
        """Tell which release was installed last and waits for its switch."""
        values = _read(self.folder / "candidate.json")
        return values["version"] if values else None

    def note_candidate(self, version: str) -> None:
        """Remember which release the next switch is for."""
        replace_text(self.folder / "candidate.json", json.dumps({"version": version, "at": now()}) + "\n")

    def forget_candidate(self, version: str | None) -> None:
        """Let a release that serves wait no more; another one goes on waiting."""
        if self.candidate() == version:
            (self.folder / "candidate.json").unlink(missing_ok=True)

    def _newest(self) -> tuple[str, str]:
        history = self.history()
        return (history[-1]["started_at"], history[-1]["outcome"]) if history else ("", "")

    @contextmanager
    def alone(self, verb: str) -> Iterator[None]:
        """Be the only command that changes this host; raises BusyError naming the other one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            os.fchmod(descriptor, OWNER_ONLY)  # whoever may open it may hold it, and so keep everybody from going back
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another command"
                message = f"`{holder}` is at work on this host; one at a time. Run again when it has ended."
                raise BusyError(message) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"portfolio-release {verb} (process {os.getpid()}, since {now()})\n".encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def _line(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def with_(switch: Switch, **changes: Any) -> Switch:  # noqa: ANN401  # its own fields
    """Return the switch with something changed."""
    return replace(switch, **changes)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:  # written in one step: only somebody else can have damaged it
        message = f"{path} is damaged ({error}): look at `portfolio-release status`, mend or remove it."
        raise ReleaseError(message) from error


def _append(path: Path, line: str) -> None:
    """Add a line in one write, on a line of its own even after a torn one, and force it to the disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, READABLE_BY_ALL)
    try:
        os.fchmod(descriptor, READABLE_BY_ALL)
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, f"{chr(10) if torn else ''}{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
