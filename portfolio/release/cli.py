"""The command `portfolio-release`: one verb, one exit code, one line a step.

Exit codes: 0 done, 1 failed (and rolled back), 2 wrong use or artefact, 4 refused by a rule, 5 another command at work.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.errors import ExitCode, PortfolioError
from portfolio.release import candidate
from portfolio.release.failures import ArtefactError, BusyError
from portfolio.release.host import Host
from portfolio.release.install import install
from portfolio.release.journal import alarm, say
from portfolio.release.layout import SLOTS
from portfolio.release.prepare import prepared
from portfolio.release.prune import prune
from portfolio.release.record import Records
from portfolio.release.recover import recover, settle
from portfolio.release.restore import restore
from portfolio.release.status import in_words, status
from portfolio.release.switch import Options, Switching
from portfolio.release.undo import undo
from portfolio.release.worker import DRAIN_S, drain, wait_online

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEEP = 3
LEFT = ("leave", "confirm")  # steps in which whatever happens is no fault of the release that serves
# Which verbs take an argument, its names, and what argparse is told of it.
ARGUMENTS: tuple[tuple[set[str], tuple[str, ...], dict[str, Any]], ...] = (
    ({"install"}, ("artefact",), {"type": Path}),
    (
        {"check", "switch"},
        ("--expect-signal-change",),
        {"metavar": "REASON", "default": "", "help": "it decides otherwise, and why"},
    ),
    (
        {"switch"},
        ("--version",),
        {"default": "", "help": "an installed release, when it is not to be the one installed last"},
    ),
    (
        {"switch"},
        ("--accept-no-rollback",),
        {"action": "store_true", "help": "the old release cannot read the new store"},
    ),
    ({"switch"}, ("--watch-s",), {"type": float, "default": 300.0, "help": "how long the new release is watched"}),
    (
        {"restore"},
        ("backup",),
        {"nargs": "?", "default": "", "help": "a backup's name or folder (default: the newest)"},
    ),
    ({"restore"}, ("--force",), {"action": "store_true", "help": "replace a good store, too; it is kept aside"}),
    (
        {"switch", "rollback", "restore", "drain"},
        ("--drain-s",),
        {"type": float, "default": DRAIN_S, "help": "longest wait for a running flow"},
    ),
    ({"status"}, ("--json",), {"action": "store_true", "help": "one JSON document on stdout"}),
    ({"prune"}, ("--keep",), {"type": int, "default": KEEP, "help": "how many of the newest stay"}),
    ({"drain", "wait-online"}, ("slot",), {"choices": SLOTS}),
)
EXAMPLE = (
    "example:\n  portfolio-release install portfolio-0.4.1.tar\n  portfolio-release switch\n  portfolio-release status"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do a verb and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    host = Host.here(arguments.root)
    try:
        return int(arguments.act(arguments, host, Records(host.layout.state)) or 0)
    except PortfolioError as error:
        alarm(f"portfolio-release {arguments.verb}: {error}")
        return int(error.exit_code)
    except OSError as error:
        alarm(f"portfolio-release {arguments.verb}: {error}")
        return int(ExitCode.FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="portfolio-release",
        description=__doc__,
        epilog=EXAMPLE,
        fromfile_prefix_chars="@",  # Ansible writes the arguments of a service into a file
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="take this folder for / (for tests)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, words, act in (
        ("install", "install an artefact; a release then waits for its switch", _install),
        ("check", "prove the waiting release on a copy of the live store", _check),
        ("switch", "make the waiting release the serving one", _switch),
        ("rollback", "go back to the release that the serving one replaced", _rollback),
        ("restore", "bring a backup back, with the worker stopped meanwhile", _restore),
        ("recover", "finish or undo an interrupted switch; at a boot, start what serves", _recover),
        ("status", "slots, who serves since when, the last switch", _status),
        ("prune", "remove old releases, never one that is needed", _prune),
        ("drain", "take no new run and wait for the running ones (for the worker's unit)", _drain),
        ("wait-online", "wait until Prefect has heard of the worker (for the worker's unit)", _wait_online),
    ):
        verb = verbs.add_parser(name, help=words, description=words, fromfile_prefix_chars="@")
        verb.set_defaults(act=act)
        _add_arguments(name, verb)
    return parser


def _add_arguments(name: str, verb: argparse.ArgumentParser) -> None:
    for verbs, flags, options in ARGUMENTS:
        if name in verbs:
            verb.add_argument(*flags, **options)


def _alone(verb: Callable[[argparse.Namespace, Host, Records], None]) -> Callable[..., None]:
    """Do a verb as the only one on this host, after what an earlier one has left behind."""

    def act(arguments: argparse.Namespace, host: Host, records: Records) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that goes away ends no switch
        with records.alone(arguments.verb):
            if host.is_going_down():
                message = "The host is going down: type it again once it has booted."
                raise BusyError(message)
            if left := records.switch():
                settle(host, records, left)
            verb(arguments, host, records)

    return act


@_alone
def _install(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    release = install(host, arguments.artefact)
    if release.kind == "portfolio":
        records.note_candidate(release.version)


@_alone
def _check(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    waiting = records.candidate()
    if waiting is None:
        message = "No release waits to be checked: `portfolio-release install ARTEFACT` first."
        raise ArtefactError(message)
    serving = host.layout.version_in(host.layout.serving_slot())
    candidate.check(host, waiting, serving, arguments.expect_signal_change)


@_alone
def _switch(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    options = Options(
        arguments.expect_signal_change,
        arguments.accept_no_rollback,
        arguments.watch_s,
        arguments.drain_s,
        arguments.version,
    )
    _go(host, records, "switch", options)


@_alone
def _rollback(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    _go(host, records, "rollback", Options(drain_s=arguments.drain_s))


def _go(host: Host, records: Records, verb: str, options: Options) -> None:
    record = prepared(host, records, verb, options)  # type: ignore[arg-type]
    if record is None:
        serving = options.version or records.candidate()
        say(f"{verb}: {serving} serves already")
        records.forget_candidate(serving)
        return
    switching = Switching(host, records, records.keep(record), options)
    say(f"{verb}: {record.from_version or 'nothing'} -> {record.to_version}, into slot {record.to_slot}")
    try:
        switching.forward()
    except BaseException as error:
        if host.is_going_down():
            say(f"{verb}: the host is going down; the next boot does the rest")
        elif switching.record.step in LEFT:
            say(f"{verb}: {record.to_version} serves; `portfolio-release recover`, or the next command, does the rest")
        else:
            undo(host, records, switching.record, str(error) or type(error).__name__)
        raise
    say(f"{verb}: {record.to_version} serves; scheduling was paused for {switching.record.paused_s():g} s")


@_alone
def _restore(arguments: argparse.Namespace, host: Host, _: Records) -> None:
    restore(host, arguments.backup, arguments.drain_s, force=arguments.force)


def _recover(_: argparse.Namespace, host: Host, records: Records) -> None:
    try:
        with records.alone("recover"):
            # Behind a command that failed or was killed (ExecStopPost=) the worker is left to the unit's OnFailure=.
            recover(host, records, start="SERVICE_RESULT" not in os.environ)
    except BusyError as error:
        if "SERVICE_RESULT" not in os.environ:  # so that systemd tries again: the other command may leave it undone
            raise
        say(f"recover: {error}")


def _status(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    told = status(host, records)
    print(json.dumps(told, indent=2) if arguments.json else in_words(told))  # noqa: T201  # the answer


@_alone
def _prune(arguments: argparse.Namespace, host: Host, records: Records) -> None:
    prune(host, records, max(1, arguments.keep))


def _drain(arguments: argparse.Namespace, host: Host, _: Records) -> int:
    return drain(host, arguments.slot, arguments.drain_s)


def _wait_online(arguments: argparse.Namespace, host: Host, records: Records) -> int:
    return wait_online(host, records, arguments.slot)


if __name__ == "__main__":
    sys.exit(main())
