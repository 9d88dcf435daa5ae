"""What `status` tells: slots, who serves since when, the last switch, one in hand, queues paused or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portfolio.release.failures import ReleaseError
from portfolio.release.host import worker_unit
from portfolio.release.layout import SLOTS

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.layout import Slot
    from portfolio.release.record import Records


def status(host: Host, records: Records) -> dict[str, Any]:
    """Return everything as plain values; what cannot be asked is None."""
    serving, history, switch = host.layout.serving_slot(), records.history(), records.switch()
    version = host.layout.version_in(serving)
    # A switch that failed and could not be undone leaves its new release serving, too.
    to_it = [line for line in history if line["outcome"] != "rolled-back" and line["to"] == version]
    since = to_it[-1]["at"] if to_it else None
    if switch and version == switch.to_version:  # under proof: it may yet be gone back from
        since = None
    answers = host.api.is_ready()
    return {
        "serving": {"slot": serving, "version": version, "since": since},
        "slots": {slot: _slot(host, slot, answers=answers) for slot in SLOTS},
        "last": history[-1] if history else None,
        "in_hand": {
            "verb": switch.verb,
            "to": switch.to_version,
            "step": switch.step,
            "undoing": switch.undoing,
            "started_at": switch.started_at,
        }
        if switch
        else None,
        "rollback_to": records.replaced_by(version) if version else None,
        "candidate": records.candidate(),
        "installed": list(host.layout.installed()),
    }


def _slot(host: Host, slot: Slot, *, answers: bool) -> dict[str, Any]:
    unit = worker_unit(slot)
    try:
        paused = host.api.is_paused(slot) if answers else None
    except ReleaseError:  # no queue yet
        paused = None
    return {
        "version": host.layout.version_in(slot),
        "worker": host.property_of(unit, "ActiveState") or None,
        "queue_paused": paused,
    }


def _since(since: str | None, in_hand: dict[str, Any] | None) -> str:
    if since is None and in_hand:
        return f"not confirmed yet ({in_hand['verb']} begun at {in_hand['started_at']})"
    return f"since {since}"


def in_words(told: dict[str, Any]) -> str:
    """Write a status for a person."""
    serving, last, in_hand = told["serving"], told["last"], told["in_hand"]
    lines = [
        f"{serving['version']} serves from {serving['slot']}, {_since(serving['since'], in_hand)}"
        if serving["version"]
        else "No release serves."
    ]
    for slot, found in told["slots"].items():
        queue = {True: "queue paused", False: "queue open", None: "queue unknown"}[found["queue_paused"]]
        lines.append(f"  {slot:<5}  {found['version'] or 'empty':<12} worker {found['worker']}, {queue}")
    if last:
        before = last["from"] or "nothing"
        lines.append(f"Last: {last['verb']} {before} -> {last['to']}, {last['outcome']} at {last['at']}")
        lines += [f"  Reason: {last['reason']}"] if last["reason"] else []
    if in_hand:
        lines.append(
            f"In hand: {in_hand['verb']} to {in_hand['to']}, at {in_hand['step']} {in_hand['undoing']}".rstrip()
        )
    lines.append(f"Rollback goes to: {told['rollback_to'] or 'none'}")
    lines.append(f"Waits for its switch: {told['candidate'] or 'none'}")
    lines.append(f"Installed: {', '.join(told['installed']) or 'none'}")
    return "\n".join(lines)
