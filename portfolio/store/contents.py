"""What a store holds, in a few numbers: told by a backup's manifest and counted again when it is verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003  # dataclass tools read the annotations at run time


@dataclass(frozen=True, slots=True)
class Contents:
    """A store's identity and size; `store_id` is the instant it was first made, which its copies share.

    `rows` counts by table ("out.signals"), `roles` has the newest model of each role and, as "previous", the champion
    before the newest when no row gives that role.
    """

    store_id: str
    kind: str
    schema: int
    min_reader: int
    release: str
    storage_version: str
    newest_session: date | None
    rows: dict[str, int]
    roles: dict[str, str]

    @property
    def total_rows(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())
