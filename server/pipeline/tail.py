"""Live records for whoever looks on: from the bus, filtered here, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import orjson
from nats.aio.msg import Msg

from server.errors import StreamError
from server.pipeline.bus import Bus, subject
from server.store.records import LEVELS, RecordFilter

# What waits for one reader; more than this is dropped and counted.
_MOST_WAITING = 5000
_CATCH_UP_S = 2.0
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Missed:
    """So many records went by while the reader was too slow."""

    count: int


class Tails:
    """Gives each reader the records of an app as they come."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def follow(self, wanted: RecordFilter) -> AsyncIterator[bytes | Missed | None]:
        """Yield each record (a line without its newline), what was missed, and None when idle.

        The first None means that everything older is in PostgreSQL: what is read from there then,
        together with what comes from here, is complete, with some records in both.
        """
        queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        missed = 0

        async def on_batch(message: Msg) -> None:
            nonlocal missed
            for line in message.data.splitlines():
                if fits(line, wanted):
                    try:
                        queue.put_nowait(line)
                    except asyncio.QueueFull:
                        missed += 1

        watching = await self._bus.watch(subject(wanted.app, "*"), on_batch)
        try:
            await self._caught_up()
            yield None
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), timeout=5.0)
                except TimeoutError:
                    yield None
                if missed and queue.empty():
                    yield Missed(missed)
                    missed = 0
        finally:
            await watching.unsubscribe()

    async def _caught_up(self) -> None:
        """Wait, for a moment at most, until persistence has stored what passed before."""
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                while await self._bus.backlog("persistence"):
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except (TimeoutError, StreamError):
            # PostgreSQL is away, or far behind: what is live is shown all the same.
            return


def fits(line: bytes, wanted: RecordFilter) -> bool:
    """Whether a record's line is one that the filter asks for, as the query of the store would."""
    record = orjson.loads(line)
    at = datetime.fromisoformat(record["timestamp"])
    if (wanted.since and at < wanted.since) or (wanted.until and at >= wanted.until):
        return False
    if wanted.level and LEVELS.index(record["level"]) < LEVELS.index(wanted.level):
        return False
    if wanted.process and wanted.process not in (record["process"], record["replica"]):
        return False
    return not wanted.text or wanted.text.lower() in record["message"].lower()
