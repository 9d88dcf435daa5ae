"""From which release to which a switch or a rollback goes, known before anything begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portfolio.release.failures import ArtefactError, RefusedError
from portfolio.release.layout import other
from portfolio.release.record import Switch, now

if TYPE_CHECKING:
    from portfolio.release.host import Host
    from portfolio.release.record import Records, Verb
    from portfolio.release.switch import Options


def prepared(host: Host, records: Records, verb: Verb, options: Options) -> Switch | None:
    """Say from where to where; None when the release asked for serves already.

    Raises ArtefactError when there is nothing to switch to, RefusedError when there is no way back.
    """
    slot = host.layout.serving_slot()
    serving = host.layout.version_in(slot)
    wanted = (options.version or records.candidate()) if verb == "switch" else _previous(records, serving)
    if wanted is None or wanted not in host.layout.installed():
        lacks = f"Release {wanted} is not installed here" if wanted else "No release waits for a switch"
        message = f"{lacks}: `portfolio-release install ARTEFACT` first."
        raise ArtefactError(message)
    if wanted == serving:
        return None
    to_slot = other(slot) if slot else "blue"
    return Switch(
        verb, to_slot, wanted, slot, serving, now(), "prepare",
        expected_change=options.expected_change, replaced_in_slot=host.layout.version_in(to_slot),
    )  # fmt: skip


def _previous(records: Records, serving: str | None) -> str:
    previous = records.replaced_by(serving) if serving else None
    if previous is None:
        message = f"There is no release to go back to: {serving or 'none'} serves, and it replaced none."
        done = [line for line in records.history() if line["outcome"] == "done"]
        if done and done[-1]["verb"] == "rollback":
            message = (
                f"{serving} serves since a rollback from {done[-1]['from']} at {done[-1]['at']}; one is not undone by "
                "another. To switch to a release again: `make deploy VERSION=...`."
            )
        raise RefusedError(message)
    return previous
