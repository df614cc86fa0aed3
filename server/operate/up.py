"""`kurama up`: from whatever state to a running platform, or to an error and nothing running."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from server.credentials import Credentials
from server.engines import addresses
from server.engines.caddy import EmbeddedCaddy
from server.engines.nats_server import EmbeddedNats
from server.engines.postgres import EmbeddedPostgres
from server.errors import Conflict, EngineError, KuramaError
from server.operate import orphans
from server.operate.health import Checks, Health
from server.operate.programs import Kind, Program, base_environment, programs
from server.operate.supervisor import Supervisor
from server.pipeline.bus import Bus
from server.settings import Settings
from server.store import migrations
from server.store.accounts import Accounts
from server.store.database import Database
from server.workers.pool import local_worker

_ENGINE_PATIENCE_S = 60.0
_SERVICE_PATIENCE_S = 60.0
_POLL_S = 0.05
_DATABASE = "kurama"


@dataclass(frozen=True, slots=True)
class Started:
    """What came up. `password` is the first admin's, on the first start only."""

    email: str
    password: str | None
    warnings: Sequence[str]
    took_s: float


class Starter:
    """Brings one home up. `say` takes a line of progress."""

    def __init__(self, settings: Settings, config: Path | None, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._config = config
        self._say = say
        self._supervisor = Supervisor(settings)
        self._checks = Checks(settings)

    def start(self) -> Started:
        """Start everything; Conflict when it is up already. A failure leaves nothing running."""
        begun = time.monotonic()
        self._refuse_second()
        self._make_folders()
        if orphans.end(self._settings.home):
            self._say("ended parts that had outlived their supervisor")
        parts = programs(self._settings)
        self._check_ports(parts)
        self._prepare_engines()
        try:
            self._say("starting PostgreSQL, NATS and Caddy")
            self._supervisor.start(parts, base_environment(self._settings.home, self._config))
            self._start_engines([part for part in parts if part.kind is Kind.ENGINE])
            password = self._first_account()
            self._say("starting the services")
            services = [part for part in parts if part.kind is Kind.SERVICE]
            self._supervisor.start_parts(part.name for part in services)
            self._await(services, _SERVICE_PATIENCE_S)
        except BaseException:
            self._supervisor.shutdown(_SERVICE_PATIENCE_S)
            raise
        warnings = self._warnings()
        took = time.monotonic() - begun
        return Started(self._settings.admin.email, password, warnings, took)

    def _refuse_second(self) -> None:
        if self._supervisor.is_up:
            raise Conflict(
                f"Kurama is up already in {self._settings.home}; nothing was changed",
                "`kurama status` shows its parts, `kurama down` stops it.",
            )

    def _make_folders(self) -> None:
        for folder in (self._settings.home, self._settings.home / "run", self._settings.run_dir):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise EngineError(
                    f"{folder} can't be made: {error.strerror}", "Set `home` or KURAMA_HOME."
                ) from error
            if folder.stat().st_uid != os.geteuid():
                raise EngineError(
                    f"{folder} belongs to another user", "Set `home` or KURAMA_HOME elsewhere."
                )
        for stale in (self._settings.run_dir / "health").glob("*.json"):
            stale.unlink()

    def _check_ports(self, parts: Sequence[Program]) -> None:
        for part in parts:
            if part.port is not None:
                check_port(*part.port)

    def _prepare_engines(self) -> None:
        settings = self._settings
        if not settings.database.url.get_secret_value():
            postgres = EmbeddedPostgres(settings)
            if not (settings.home / "postgres" / "data" / "PG_VERSION").exists():
                self._say("making the database (first start)")
            postgres.prepare()
        if not settings.bus.url.get_secret_value():
            EmbeddedNats(settings, Credentials(settings.home)).prepare()
        EmbeddedCaddy(settings).prepare()

    def _start_engines(self, engines: Sequence[Program]) -> None:
        settings = self._settings
        if not settings.database.url.get_secret_value():
            admin = EmbeddedPostgres(settings).admin_url
            self._retry("postgres", lambda: migrations.create_database(admin, _DATABASE))
        self._await(engines, _ENGINE_PATIENCE_S)
        migrations.migrate(addresses.database_url(settings))
        asyncio.run(self._provide_bus())

    async def _provide_bus(self) -> None:
        bus = Bus(addresses.bus_url(self._settings), "up")
        await bus.connect()
        await bus.provide(int(self._settings.bus.max_bytes))
        await bus.close()

    def _first_account(self) -> str | None:
        database = Database(addresses.database_url(self._settings), 1)
        try:
            accounts = Accounts(database)
            if accounts.exist():
                return None
            password = secrets.token_urlsafe(12)
            accounts.create(self._settings.admin.email, password, is_admin=True)
            return password
        finally:
            database.close()

    def _await(self, parts: Sequence[Program], patience_s: float) -> None:
        """Wait until every part is well; EngineError with the last lines of one that isn't."""
        deadline = time.monotonic() + patience_s
        waiting = {part.name: part for part in parts}
        last: dict[str, Health] = {}
        while waiting:
            for part in list(waiting.values()):
                last[part.name] = self._checks.check_program(part)
                if last[part.name].is_ok:
                    del waiting[part.name]
            self._give_up_on_dead(waiting)
            if waiting and time.monotonic() > deadline:
                name = next(iter(waiting))
                raise self._failed(name, last[name].detail)
            if waiting:
                time.sleep(_POLL_S)

    def _give_up_on_dead(self, waiting: dict[str, Program]) -> None:
        """Don't wait for what ends again and again: say at once what it said."""
        for state in self._supervisor.states():
            if state.name in waiting and state.state in ("backoff", "fatal", "exited"):
                raise self._failed(state.name, state.detail)

    def _retry(self, name: str, attempt: Callable[[], None]) -> None:
        deadline = time.monotonic() + _ENGINE_PATIENCE_S
        while True:
            try:
                attempt()
            except KuramaError as error:
                dead = [s for s in self._supervisor.states() if s.name == name and not s.pid]
                if dead and dead[0].state != "starting":
                    raise self._failed(name, dead[0].detail) from None
                if time.monotonic() > deadline:
                    raise self._failed(name, error.message) from None
                time.sleep(_POLL_S)
            else:
                return

    def _failed(self, name: str, detail: str) -> EngineError:
        said = self._supervisor.tail(name)
        lines = "\n".join(f"    {line}" for line in said.splitlines())
        return EngineError(
            f"{name} did not come up: {detail}" + (f"\nIts last lines:\n{lines}" if lines else ""),
            f"Its whole log is {self._supervisor.log(name)}.",
        )

    def _warnings(self) -> Sequence[str]:
        worker = local_worker(self._settings, "agent-up.log")
        try:
            return list(worker.describe()["warnings"])
        except KuramaError as error:
            return [error.message]
        finally:
            worker.close()


def check_port(setting: str, host: str, port: int) -> None:
    """EngineError when somebody else listens on `port`, with who it is where that can be seen."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            holder = _holder(port)
            raise EngineError(
                f"Port {port} ({setting}) can't be listened on: {error.strerror}"
                + (f", by {holder}" if holder else ""),
                f"Stop what uses it, or set {setting} in kuramaconfig.yaml to another port.",
            ) from None


def _holder(port: int) -> str:
    """The program that listens on `port`, where this user may know it."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.status != psutil.CONN_LISTEN or not connection.pid:
                continue
            if tuple(connection.laddr)[1:] == (port,):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""
