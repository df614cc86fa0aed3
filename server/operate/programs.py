"""Every part of the platform as a program: what starts it and how it is stopped."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from server.credentials import Credentials
from server.engines.caddy import EmbeddedCaddy
from server.engines.nats_server import EmbeddedNats
from server.engines.postgres import EmbeddedPostgres
from server.settings import Settings

_SERVER = Path(__file__).parent.parent
# In the environment of every part: which platform it belongs to.
MARK = "KURAMA_PART_OF"
SERVICES = ("interface", "ingest", "collector", "persistence")


class Kind(StrEnum):
    """Engines come first and go last."""

    ENGINE = "engine"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Program:
    """One part. `port` is (setting, host, number) of what it listens on, or None."""

    name: str
    kind: Kind
    argv: Sequence[str]
    port: tuple[str, str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_patience_s: int = 15


def programs(settings: Settings) -> list[Program]:
    """The parts of this platform, engines first; an engine that has a URL is not ours to start."""
    return [*_engines(settings), *_services(settings)]


def _engines(settings: Settings) -> list[Program]:
    found = []
    if not settings.database.url.get_secret_value():
        # The whole group is signalled: PostgreSQL's fast shutdown, not its smart one.
        argv = EmbeddedPostgres(settings).argv()
        found.append(Program("postgres", Kind.ENGINE, argv, stop_signal="INT", stop_patience_s=30))
    if not settings.bus.url.get_secret_value():
        argv = EmbeddedNats(settings, Credentials(settings.home)).argv()
        port = ("bus.port", "127.0.0.1", settings.bus.port)
        found.append(Program("nats", Kind.ENGINE, argv, port))
    caddy = EmbeddedCaddy(settings)
    port = ("router.port", settings.router.host, settings.router.port)
    found.append(Program("router", Kind.ENGINE, caddy.argv(), port, caddy.environment))
    return found


def _services(settings: Settings) -> list[Program]:
    ports = {
        "interface": ("interface.port", settings.interface.host, settings.interface.port),
        "ingest": ("ingest.port", settings.ingest.host, settings.ingest.port),
    }
    return [
        Program(
            name,
            Kind.SERVICE,
            [sys.executable, str(_SERVER / f"{name}.py")],
            ports.get(name),
            {"KURAMA_HOME": str(settings.home)},
        )
        for name in SERVICES
    ]


def base_environment(home: Path, config: Path | None) -> dict[str, str]:
    """The environment of all parts: the operator's, and where the configuration is."""
    named = {"KURAMA_CONFIG": str(config)} if config else {}
    return {**os.environ, **named, "PYTHONUNBUFFERED": "1", MARK: str(home)}
