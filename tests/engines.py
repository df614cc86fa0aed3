"""The engines by themselves, for tests of what stands on them: PostgreSQL, NATS, Caddy."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import yaml

from server.credentials import Credentials
from server.engines.caddy import EmbeddedCaddy
from server.engines.nats_server import EmbeddedNats
from server.engines.postgres import EmbeddedPostgres
from server.errors import KuramaError
from server.pipeline.bus import Bus
from server.router.admin import Admin
from server.router.configuration import admin_socket
from server.settings import Settings
from server.store import migrations
from tests.conftest import eventually
from tests.harness import ROOT

_STOP_PATIENCE_S = 20.0
_START_PATIENCE_S = 30.0
T = TypeVar("T")


class Process:
    """A program in a session of its own, with its output in a file."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._argv = argv
        self._log = log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if need be."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal its group, as supervisord does; return its status when it has ended."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        try:
            return self._process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_STOP_PATIENCE_S)
            raise

    def kill(self) -> None:
        """End it without a warning."""
        self.stop(signal.SIGKILL)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> dict[str, str]:
        """What the kernel says of it, by the names of proc(5)."""
        assert self._process is not None
        lines = Path("/proc", str(self._process.pid), "status").read_text().splitlines()
        return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")


class Engines:
    """The engines of one home, each started when it is first wanted."""

    def __init__(self, folder: Path, **sections: Mapping[str, Any]) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home", **sections)  # type: ignore[arg-type]
        self.settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._running: list[tuple[Process, signal.Signals]] = []
        self._clones = 0

    def postgres(self) -> Process:
        """Start PostgreSQL, with Kurama's own database migrated: the template of all clones."""
        engine = EmbeddedPostgres(self.settings)
        engine.prepare()
        # At once: what it would write down first is deleted next.
        process = self._start(engine.argv(), "postgres", signal.SIGQUIT)
        self.wait(lambda: migrations.create_database(engine.admin_url, "kurama"), process)
        migrations.migrate(engine.url)
        return process

    def clone(self) -> str:
        """The URL of a new database as the migrations make it."""
        self._clones += 1
        return self.database(f"clone_{self._clones}", "kurama")

    def database(self, name: str, template: str = "template0", options: str = "") -> str:
        """The URL of a new database."""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER kurama {options}")
        return EmbeddedPostgres(self.settings).url.replace("/kurama?", f"/{name}?")

    def sql(self, statement: str, url: str = "") -> list[tuple[Any, ...]]:
        """What a superuser gets for one statement."""
        connection = psycopg2.connect(url or EmbeddedPostgres(self.settings).admin_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def nats(self) -> Process:
        """Start NATS."""
        engine = EmbeddedNats(self.settings, Credentials(self.settings.home))
        engine.prepare()
        process = self._start(engine.argv(), "nats", signal.SIGTERM)
        self.wait(lambda: run(_connect(engine.url)), process)
        return process

    @property
    def bus_url(self) -> str:
        """Where the bus is."""
        return EmbeddedNats(self.settings, Credentials(self.settings.home)).url

    def caddy(self) -> Process:
        """Start Caddy, with nothing to route."""
        engine = EmbeddedCaddy(self.settings)
        engine.prepare()
        process = self._start(engine.argv(), "caddy", signal.SIGTERM, engine.environment)
        self.wait(Admin(admin_socket(self.settings)).ping, process)
        return process

    def service(self, name: str, **sections: Mapping[str, Any]) -> Process:
        """`python3 server/NAME.py`, started with a configuration of its own."""
        config = self.folder / f"{name}.yaml"
        values = self.settings.model_dump(mode="json", include={"home", "bus", "ingest"})
        values["bus"].pop("url")
        for section, settings in sections.items():
            values[section] = {**values.get(section, {}), **settings}
        config.write_text(yaml.safe_dump(values))
        argv = [sys.executable, str(ROOT / "server" / f"{name}.py")]
        environment = {"KURAMA_CONFIG": str(config), "KURAMA_HOME": ""}
        return self._start(argv, name, signal.SIGTERM, environment)

    def wait(self, attempt: Callable[[], object], process: Process) -> None:
        """Wait until `attempt` raises no error of ours."""

        def works() -> bool:
            if not process.is_running:
                raise RuntimeError(process.said)
            try:
                attempt()
            except KuramaError:
                return False
            return True

        eventually(works, _START_PATIENCE_S, "an engine's start")

    def close(self) -> None:
        """End everything, and delete it."""
        for process, number in reversed(self._running):
            if process.is_running:
                process.stop(number)
        shutil.rmtree(self.settings.run_dir, ignore_errors=True)
        shutil.rmtree(self.settings.home, ignore_errors=True)

    def _start(
        self,
        argv: Sequence[str],
        name: str,
        number: signal.Signals,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        process = Process(argv, self.folder / f"{name}.log", environment or {})
        self._running.append((process, number))
        process.start()
        return process


def run(story: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(asyncio.wait_for(story, timeout))


async def _connect(url: str) -> None:
    bus = Bus(url, "test")
    await bus.connect()
    await bus.close()
