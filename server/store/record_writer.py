"""Writes batches of records, each record exactly once, however often it is delivered."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2.extensions

from server.store.database import Database, translated
from server.store.records import COLUMNS

# A record's day gets a partition of its own when it lies in this window around today; whatever
# claims another day came from a clock that is far off, and goes to the default partition.
_AHEAD = timedelta(days=2)
_BACK = timedelta(days=31)
_LIST = ", ".join(COLUMNS)
_STAGE = "CREATE TEMPORARY TABLE staged (LIKE records) ON COMMIT DELETE ROWS"
_COPY = f"COPY staged ({_LIST}) FROM STDIN"
_MERGE = f"INSERT INTO records ({_LIST}) SELECT {_LIST} FROM staged ON CONFLICT DO NOTHING"  # noqa: S608 - constants
# Records of that day that came before the partition was wanted move over from the default one.
_PARTITION = """
CREATE TABLE {name} (LIKE records INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
WITH moved AS (
    DELETE FROM records_default WHERE timestamp >= %(start)s AND timestamp < %(end)s RETURNING *
) INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE records ATTACH PARTITION {name} FOR VALUES FROM (%(start)s) TO (%(end)s);
"""
# What COPY's text format gives a meaning to.
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\N{REPLACEMENT CHARACTER}"}
)


class RecordWriter:
    """One connection that stores batches; not for use by several threads at once.

    The batch goes by COPY into a temporary table and from there to `records`, in one transaction:
    a record whose (timestamp, uuid) is there already is left alone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg2.extensions.connection | None = None
        self._days: set[date] = set()

    def write(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Store `records`, mappings with the keys COLUMNS; return how many of them were new.

        Raises StoreUnavailable when PostgreSQL is away (nothing of the batch is stored then) and
        StoreError when it refused the batch.
        """
        # A lone surrogate, which UTF-8 has no bytes for, becomes "?" rather than fail all of it.
        lines = "".join(_line(record) for record in records).encode("utf-8", "replace")
        try:
            with translated():
                connection = self._connected()
                self._make_partitions(connection, _days(records))
                with connection, connection.cursor() as cursor:
                    cursor.copy_expert(_COPY, io.BytesIO(lines))
                    cursor.execute(_MERGE)
                    return int(cursor.rowcount)
        except Exception:
            self.close()
            raise

    def drop_before(self, limit: datetime) -> list[str]:
        """Drop the partitions of days that ended before `limit`; return their names."""
        dropped = []
        with self._database.transaction() as connection:
            names = [row["name"] for row in self._database.queries.list_partitions(connection)]
            with connection.cursor() as cursor:
                for name in names:
                    day = _day_of(name)
                    if day and _start(day + timedelta(days=1)) <= limit:
                        cursor.execute(f"DROP TABLE {name}")
                        self._days.discard(day)
                        dropped.append(name)
        return dropped

    def close(self) -> None:
        """Give the connection up; the next write makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._days.clear()

    def _connected(self) -> psycopg2.extensions.connection:
        if self._connection is None:
            connection = self._database.connect()
            with connection, connection.cursor() as cursor:
                cursor.execute(_STAGE)
            self._connection = connection
        return self._connection

    def _make_partitions(
        self, connection: psycopg2.extensions.connection, days: Iterable[date]
    ) -> None:
        today = datetime.now(UTC).date()
        wanted = {day for day in days if today - _BACK <= day <= today + _AHEAD}
        for day in sorted(wanted - self._days):
            with connection, connection.cursor() as cursor:
                _make_partition(cursor, day)
            self._days.add(day)


def _make_partition(cursor: psycopg2.extensions.cursor, day: date) -> None:
    # Several writers may want the same day: the lock makes one of them first.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('kurama partitions'))")
    cursor.execute("SELECT to_regclass(%s) AS there", (_name_of(day),))
    row: Any = cursor.fetchone()
    if row["there"] is None:
        bounds = {"start": _start(day), "end": _start(day + timedelta(days=1))}
        cursor.execute(_PARTITION.format(name=_name_of(day)), bounds)


def _line(record: Mapping[str, Any]) -> str:
    """One record in COPY's text format."""
    values = [record.get(column) for column in COLUMNS]
    return "\t".join(_cell(value) for value in values) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPES) if isinstance(value, str) else str(value)


def _days(records: Iterable[Mapping[str, Any]]) -> set[date]:
    return {date.fromisoformat(text) for text in {record["timestamp"][:10] for record in records}}


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _name_of(day: date) -> str:
    return f"records_{day:%Y%m%d}"


def _day_of(name: str) -> date | None:
    digits = name.removeprefix("records_")
    return (
        datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date() if digits.isdigit() else None
    )
