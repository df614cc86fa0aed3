"""How each part is, by asking the part itself."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.engines import addresses
from server.errors import KuramaError
from server.operate.programs import Program
from server.pipeline.bus import Bus
from server.router.admin import Admin
from server.router.configuration import admin_socket
from server.settings import Settings
from server.store.database import Database

# A heartbeat older than this means that the service's loop hangs or that it is gone.
_STALE_S = 5.0
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """`state` is ok, degraded or down; `detail` says why it isn't ok."""

    state: str
    detail: str = ""
    counters: Mapping[str, int] | None = None

    @property
    def is_ok(self) -> bool:
        """Whether it does all that it is for."""
        return self.state == "ok"


class Checks:
    """Asks parts how they are; each answer comes within a few seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engines: dict[str, Callable[[], None]] = {
            "postgres": self._ping_postgres,
            "nats": self._ping_bus,
            "router": self._ping_router,
        }

    def check(self, name: str, port: tuple[str, str, int] | None = None) -> Health:
        """The health of one part."""
        if name in self._engines:
            try:
                self._engines[name]()
            except KuramaError as error:
                return Health("down", error.message)
            return Health("ok")
        return self._check_service(name, port)

    def check_program(self, program: Program) -> Health:
        """The health of one part, by its description."""
        return self.check(program.name, program.port)

    def _check_service(self, name: str, port: tuple[str, str, int] | None) -> Health:
        beat = self._heartbeat(name)
        if beat is None:
            return Health("down", "no heartbeat")
        silent = time.time() - beat["at"]
        if silent > _STALE_S:
            return Health("down", f"no heartbeat for {silent:.0f} s")
        if port and not self._answers(name, port):
            return Health("down", f"nothing answers on port {port[2]}")
        return Health(beat["state"], beat["detail"], beat["counters"])

    def _heartbeat(self, name: str) -> Mapping[str, Any] | None:
        try:
            path = self._settings.run_dir / "health" / f"{name}.json"
            beat: Mapping[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return beat

    def _answers(self, name: str, port: tuple[str, str, int]) -> bool:
        _setting, host, number = port
        try:
            if name == "interface":
                return self._serves_http(_reachable(host), number)
            with socket.create_connection((_reachable(host), number), timeout=_TIMEOUT_S):
                return True
        except (OSError, http.client.HTTPException):
            return False

    def _serves_http(self, host: str, port: int) -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        finally:
            connection.close()

    def _ping_postgres(self) -> None:
        database = Database(addresses.database_url(self._settings), 1)
        try:
            database.ping()
        finally:
            database.close()

    def _ping_bus(self) -> None:
        async def ping() -> None:
            bus = Bus(addresses.bus_url(self._settings), "health")
            await bus.connect()
            await bus.close()

        asyncio.run(ping())

    def _ping_router(self) -> None:
        Admin(admin_socket(self._settings)).ping()


def _reachable(host: str) -> str:
    """Where a client on this machine reaches what listens on `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
