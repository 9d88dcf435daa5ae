"""The metrics' text, made from one look at everything: the same before and after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from portfolio.web.metrics_data import data_families
from portfolio.web.metrics_operation import operation_families
from portfolio.web.metrics_release import release_families
from portfolio.web.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from portfolio.web.reading import Seen

KEPT_FOR_S = 60.0  # a look is renewed every two seconds while somebody asks, and its text with it


class Metrics:
    """Writes the text of a look once, however many scrape it."""

    def __init__(self) -> None:
        self._text: Remembered[bytes] = Remembered(KEPT_FOR_S)
        self._process = ProcessCollector(registry=CollectorRegistry())

    async def text(self, seen: Seen) -> bytes:
        """Return the text for Prometheus, format 0.0.4."""
        return await self._text.get(seen, lambda: self._written(seen))

    def _written(self, seen: Seen) -> bytes:
        families = (*data_families(seen), *operation_families(seen), *release_families(seen), *self._process.collect())
        return generate_latest(_Families(families))


class _Families(Collector):
    """Families that were gathered already, in the shape that the writer of the text asks for."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families
