"""The interface on port 5001: HTTP API and git server. It runs the deploys and keeps what runs.

python3 server/interface.py
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from server import service
from server.api.application import application
from server.api.context import Context
from server.api.pushes import Pushes
from server.api.throttle import Throttle
from server.deploys.deployer import Deployer
from server.deploys.parts import Parts
from server.deploys.reconciler import Reconciler
from server.deploys.recovery import recover
from server.deploys.usage import Usage
from server.engines import addresses
from server.errors import StreamError
from server.pipeline.bus import Bus
from server.pipeline.tail import Tails
from server.router.router import Router
from server.service import Service
from server.settings import Settings
from server.store.accounts import Accounts
from server.store.apps import Apps
from server.store.database import Database
from server.store.deploys import Deploys
from server.store.records import Records
from server.store.releases import Releases
from server.web import pages
from server.workers.pool import local_worker

# What open streams get when the interface stops.
_STOP_PATIENCE_S = 5
_BUS_RETRY_S = 1.0


def main(this: Service) -> None:
    """Serve until a signal ends it."""
    database = Database(addresses.database_url(this.settings), this.settings.database.connections)
    service.until_up(database.ping, this.stopping)
    parts = _parts(this.settings, database)
    bus = Bus(addresses.bus_url(this.settings), this.name)
    context = Context(
        parts=parts,
        database=database,
        accounts=Accounts(database),
        records=Records(database),
        deployer=Deployer(parts),
        pushes=Pushes(),
        tails=Tails(bus),
        throttle=Throttle(),
        usage=Usage(this.settings.sandbox.cpus),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.context = context
        await run_in_threadpool(recover, parts)
        reconciler = Reconciler(parts, context.usage)
        thread = threading.Thread(target=reconciler.run, args=(this.stopping,), name="reconciler")
        thread.start()
        tasks = [asyncio.create_task(_connect(bus)), asyncio.create_task(_beat(this, bus))]
        try:
            yield
        finally:
            this.stopping.set()
            for task in tasks:
                task.cancel()
            await run_in_threadpool(context.deployer.close, _STOP_PATIENCE_S)
            await run_in_threadpool(thread.join, _STOP_PATIENCE_S)
            await bus.close()
            parts.worker.close()

    uvicorn.run(
        application(lifespan, [pages.router]),
        host=this.settings.interface.host,
        port=this.settings.interface.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_PATIENCE_S,
    )


def _parts(settings: Settings, database: Database) -> Parts:
    return Parts(
        settings=settings,
        apps=Apps(database),
        releases=Releases(database),
        deploys=Deploys(database),
        router=Router(settings),
        worker=local_worker(settings, "agent-deploys.log"),
    )


async def _connect(bus: Bus) -> None:
    """Connect to the bus, as soon as it is there: all but the live logs works without."""
    while not bus.is_connected:
        try:
            await bus.connect()
        except StreamError:
            await asyncio.sleep(_BUS_RETRY_S)


async def _beat(this: Service, bus: Bus) -> None:
    while True:
        if bus.is_connected:
            this.heart.beat()
        else:
            this.heart.beat("degraded", "the bus can't be reached: no live logs")
        await asyncio.sleep(1)


if __name__ == "__main__":
    service.run("interface", main, own_signals=True)
