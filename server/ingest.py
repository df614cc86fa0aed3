"""Ingest on port 5140: takes records over TCP and puts them on the bus.

python3 server/ingest.py
"""

import asyncio
import contextlib
import signal

from server import names, service
from server.credentials import Credentials
from server.engines import addresses
from server.errors import EngineError
from server.pipeline.bus import Bus, connected
from server.pipeline.receiver import Receiver
from server.service import Service
from server.settings import Ingest
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
    bus = await connected(addresses.bus_url(settings), this.name, stopping)
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
    server = await _listen(settings.ingest, receiver)
    try:
        while not stopping.is_set():
            _beat(this, bus, receiver)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), timeout=1)
    finally:
        # Not `wait_closed`: since Python 3.12 that waits for senders to go by themselves.
        server.close()
        await receiver.close()
        await bus.close()


async def _listen(where: Ingest, receiver: Receiver) -> asyncio.Server:
    try:
        return await asyncio.start_server(receiver.serve, where.host, where.port, limit=1024 * 1024)
    except OSError as error:
        raise EngineError(
            f"Port {where.port} (ingest.port) can't be listened on: {error.strerror}",
            "Stop what uses it, or set ingest.port in kuramaconfig.yaml to another port.",
        ) from error


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
