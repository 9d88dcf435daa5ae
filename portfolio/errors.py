"""The errors a person meets, split by who must act, each with the exit code the command ends with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's end means to a shell, systemd and Prefect."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    HOLD = 3  # blocked by the data gate: no orders today, with a reason
    REFUSED = 4  # a limit or rule said no
    BUSY = 5  # another process writes the store


class PortfolioError(Exception):
    """Something the operator can act on; the message says what, the rule, the value seen and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(PortfolioError):
    """A command line, settings, universe or ledger file that breaks a rule."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A setting that breaks a rule."""


class UniverseError(UsageError):
    """A universe file that breaks a rule."""


class LedgerError(UsageError):
    """A ledger file or entry that breaks a rule."""


class StoreError(PortfolioError):
    """The store cannot be used as it is: damaged, foreign, or of another schema."""


class NotLoggedError(StoreError):
    """The log has no decision for the session asked for, or none at all."""


class NewerStoreError(StoreError):
    """A DuckDB file in a format that only a newer DuckDB reads: perhaps good, though not to this release."""


class ForeignStoreError(StoreError):
    """A DuckDB file of another program, which is nobody's to replace."""


class ModelError(PortfolioError):
    """A model's files cannot be used as they are."""


class BackupError(PortfolioError):
    """A backup that cannot be made, or cannot be trusted."""


class RestoreRefusedError(PortfolioError):
    """A restore that would break a rule; nothing was changed."""

    exit_code = ExitCode.REFUSED


class SourceError(PortfolioError):
    """A data source did not give what was asked."""


class OutputError(PortfolioError):
    """A run left something out, or wrong, that it should have left behind."""


class ServeError(PortfolioError):
    """The web service cannot listen where it should."""


class RuleRefusedError(PortfolioError):
    """A plan that would break a limit."""

    exit_code = ExitCode.REFUSED


class StoreBusyError(PortfolioError):
    """Another process holds the writer's lock."""

    exit_code = ExitCode.BUSY
