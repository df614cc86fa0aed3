"""Persistence: stores every record of the bus in PostgreSQL, once.

python3 server/persistence.py
"""

import asyncio
import signal

from server import service
from server.engines import addresses
from server.pipeline.bus import connected
from server.pipeline.storing import Storing
from server.service import Service
from server.store.database import Database
from server.store.record_writer import RecordWriter


def main(this: Service) -> None:
    """Store until a signal ends it."""
    database = Database(addresses.database_url(this.settings), 2)
    service.until_up(database.ping, this.stopping)
    asyncio.run(_store(this, RecordWriter(database)))


async def _store(this: Service, writer: RecordWriter) -> None:
    settings = this.settings
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if this.stopping.is_set():
        # By a signal that came before ours were asked for.
        return
    bus = await connected(addresses.bus_url(settings), this.name, stopping)
    await bus.provide(int(settings.bus.max_bytes))
    quarantine = settings.home / "quarantine" / "persistence.ndjson"
    storing = Storing(bus, writer, this.heart.beat, settings.logs.retention, quarantine)
    await storing.run(stopping)
    writer.close()
    await bus.close()


if __name__ == "__main__":
    service.run("persistence", main)
