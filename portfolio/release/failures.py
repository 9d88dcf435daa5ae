"""How a verb of the release tool ends when it does not end well."""

from __future__ import annotations

from portfolio.errors import ExitCode, PortfolioError


class ReleaseError(PortfolioError):
    """A step failed; what it had begun is undone, or will be."""


class ArtefactError(PortfolioError):
    """An artefact that is not what it says, or a wrong use of a verb."""

    exit_code = ExitCode.USAGE


class StoreHeldError(ReleaseError):
    """Somebody writes the store for longer than a step waits."""


class RefusedError(PortfolioError):
    """A rule says no, and nothing was changed."""

    exit_code = ExitCode.REFUSED


class BusyError(PortfolioError):
    """Another release command works on this host."""

    exit_code = ExitCode.BUSY
