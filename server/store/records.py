"""The records in PostgreSQL: written in batches, each exactly once, and read back by filters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.store.database import Database

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

COLUMNS = (
    "timestamp level url status message cpu_percent disk_percent swap_percent memory_percent uuid "
    "method route duration_ms queue_ms request_id app process replica release worker".split()
)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records of an app are wanted; None means that a filter is off.

    `level` is the lowest that is shown, `text` must stand in the message (in any case), `process`
    is a kind ("web") or a replica ("web.1").
    """

    app: str
    since: datetime | None = None
    until: datetime | None = None
    level: str | None = None
    process: str | None = None
    text: str | None = None


class Records:
    """The table of records, in partitions by day (UTC)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, wanted: RecordFilter, count: int) -> list[dict[str, Any]]:
        """The newest `count` records that fit, oldest first, as rows of COLUMNS."""
        levels = list(LEVELS[LEVELS.index(wanted.level) :]) if wanted.level else None
        with self._database.transaction() as connection:
            rows = self._database.queries.find_records(
                connection,
                app=wanted.app,
                since=wanted.since,
                until=wanted.until,
                levels=levels,
                process=wanted.process,
                pattern=_containing(wanted.text),
                count=count,
            )
            found = [dict(row) for row in rows]
        return found[::-1]


def _containing(text: str | None) -> str | None:
    """The ILIKE pattern for messages that contain `text` as it stands."""
    if text is None:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
