"""From the bus into PostgreSQL: batches are stored, and only then acknowledged."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import nats.errors
import orjson
from nats.aio.msg import Msg

from server.errors import StoreError, StoreUnavailable
from server.pipeline.bus import Bus
from server.store.record_writer import RecordWriter

# Messages that are stored in one transaction; ingest makes them of up to half a megabyte.
_MOST_MESSAGES = 32
_WAIT_S = 1.0
_RETRY_S = 0.5
_RETENTION_EVERY_S = 3600.0
_MOST_QUARANTINED = 10_000_000

log = logging.getLogger(__name__)


class Storing:
    """Reads the service's place in the stream and writes what comes, until told to stop."""

    def __init__(
        self,
        bus: Bus,
        writer: RecordWriter,
        beat: Callable[..., None],
        retention: timedelta,
        quarantine: Path,
    ) -> None:
        self._bus = bus
        self._writer = writer
        self._beat = beat
        self._retention = retention
        self._quarantine = quarantine
        self._stored = 0
        self._repeated = 0
        self._quarantined = 0
        self._cleaned_at = -_RETENTION_EVERY_S

    async def run(self, stopping: asyncio.Event) -> None:
        """Store until `stopping` is set; a batch that is under way is finished first."""
        place = await self._bus.pull("persistence")
        while not stopping.is_set():
            try:
                messages = await place.fetch(_MOST_MESSAGES, timeout=_WAIT_S)
            except (nats.errors.TimeoutError, TimeoutError):
                messages = []
            except nats.errors.Error as error:
                self._beat("degraded", f"the bus can't be reached: {error}")
                await asyncio.sleep(_RETRY_S)
                continue
            if messages:
                await self._store(messages, stopping)
            await self._clean()
            self._beat("ok", **self._counters)

    async def _store(self, messages: Sequence[Msg], stopping: asyncio.Event) -> None:
        """Write the records of these messages, then acknowledge; wait while PostgreSQL is away."""
        records = self._decoded(line for one in messages for line in one.data.splitlines())
        while True:
            try:
                await asyncio.to_thread(self._write, records)
            except StoreUnavailable as error:
                self._beat("degraded", error.message, **self._counters)
                for message in messages:
                    await message.in_progress()
                if stopping.is_set():
                    return
                await asyncio.sleep(_RETRY_S)
            else:
                break
        for message in messages:
            await message.ack()

    def _decoded(self, lines: Iterable[bytes]) -> list[dict[str, Any]]:
        """The records in `lines`; what is none is set aside, or it would come again for ever."""
        records = []
        for line in lines:
            try:
                record = orjson.loads(line)
                date.fromisoformat(record["timestamp"][:10])
            except (ValueError, TypeError, KeyError) as error:
                text = line.decode("utf-8", "replace")
                self._set_aside({"line": text}, StoreError(f"It is no record: {error}"))
            else:
                records.append(record)
        return records

    def _write(self, records: Sequence[dict[str, Any]]) -> None:
        """Store a batch; one record that PostgreSQL refuses doesn't keep the others out."""
        if not records:
            return
        try:
            new = self._writer.write(records)
        except StoreUnavailable:
            raise
        except StoreError as error:
            if len(records) == 1:
                self._set_aside(records[0], error)
                return
            middle = len(records) // 2
            self._write(records[:middle])
            self._write(records[middle:])
        else:
            self._stored += new
            self._repeated += len(records) - new

    def _set_aside(self, record: dict[str, Any], error: StoreError) -> None:
        log.error("a record was refused: %s", error.message)
        self._quarantined += 1
        self._quarantine.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._quarantine.open("a") as file:
            if file.tell() < _MOST_QUARANTINED:
                file.write(json.dumps({"error": error.message, "record": record}) + "\n")

    async def _clean(self) -> None:
        """Drop the days that are older than the retention, once an hour."""
        if time.monotonic() - self._cleaned_at < _RETENTION_EVERY_S:
            return
        self._cleaned_at = time.monotonic()
        try:
            limit = datetime.now(UTC) - self._retention
            for name in await asyncio.to_thread(self._writer.drop_before, limit):
                log.info("dropped %s: older than logs.retention", name)
        except StoreError as error:
            log.warning("retention: %s", error.message)

    @property
    def _counters(self) -> dict[str, int]:
        return {
            "stored": self._stored,
            "repeated": self._repeated,
            "quarantined": self._quarantined,
        }
