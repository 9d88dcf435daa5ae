"""`smoke`: one run that shows a release works on this host: it is the release meant, and it reads the published copy.

The release tool starts it while it switches. It has no schedule and writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.states import Completed

from flows.names import SMOKE
from portfolio import __version__
from portfolio.errors import OutputError
from portfolio.settings import read_settings
from portfolio.store.connection import open_reader, published_path
from portfolio.store.signals import read_signal

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@flow(name=SMOKE)
def smoke(version: str) -> State[Any]:
    """See that this is release `version`, that the settings keep their rules, and that the published copy opens."""
    if version != __version__:
        message = f"This worker is of release {__version__} and {version} was meant: its slot leads elsewhere."
        raise OutputError(message)
    settings = read_settings()
    if not published_path(settings.store_path).exists():
        return Completed(message=f"release {version}; nothing is published yet")
    with open_reader(settings.store_path, settings.source) as store:
        newest = read_signal(store)
    return Completed(message=f"release {version}; newest decision: {newest.session if newest else 'none'}")
