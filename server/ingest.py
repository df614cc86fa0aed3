"""Ingest on port 5140: takes records over TCP and puts them on the bus.

python3 server/ingest.py
"""

import asyncio
import signal

from server import names, service
from server.credentials import Credentials
from server.engines import addresses
from server.pipeline.bus import Bus, connected
from server.pipeline.receiver import Receiver
from server.service import Service
from server.store.accounts import Accounts
from server.store.apps import Apps
from server.store.database import Database


def main(this: Service) -> None:
    """Serve until a signal ends it."""
    asyncio.run(_serve(this))


async def _serve(this: Service) -> None:
    settings = this.settings
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    bus = await connected(addresses.bus_url(settings), this.name)
    await bus.provide(int(settings.bus.max_bytes))
    # Only users' own connections need it: the platform's records flow without the database.
    database = Database(addresses.database_url(settings), 2)

    async def authorise(token: str, app: str) -> None:
        def check() -> None:
            account, _ = Accounts(database).authenticate(token)
            Apps(database).visible_to(account, names.app_name(app))

        await asyncio.to_thread(check)

    token = Credentials(settings.home).ingest_token
    receiver = Receiver(bus, token, authorise, settings.ingest.max_connections)
    server = await asyncio.start_server(
        receiver.serve, settings.ingest.host, settings.ingest.port, limit=1024 * 1024
    )
    async with server:
        while not stopping.is_set():
            _beat(this, bus, receiver)
            try:
                await asyncio.wait_for(stopping.wait(), timeout=1)
            except TimeoutError:
                continue
    await bus.close()


def _beat(this: Service, bus: Bus, receiver: Receiver) -> None:
    counters = receiver.counters
    numbers = {
        "received": counters.received,
        "published": counters.published,
        "refused": counters.refused,
        "connections": counters.connections,
    }
    if bus.is_connected:
        this.heart.beat("ok", "", **numbers)
    else:
        this.heart.beat("degraded", "the bus can't be reached: senders wait", **numbers)


if __name__ == "__main__":
    service.run("ingest", main, own_signals=True)
