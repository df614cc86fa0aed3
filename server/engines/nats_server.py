"""The embedded NATS: JetStream in files under home/nats, on loopback, behind a password."""

import json
from pathlib import Path

from server.credentials import Credentials
from server.engines import binaries
from server.settings import Settings

_USER = "kurama"


class EmbeddedNats:
    """Where the embedded NATS lives and how it is started."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._folder = settings.home / "nats"
        self._port = settings.bus.port
        self._max_bytes = int(settings.bus.max_bytes)
        self._credentials = credentials

    @property
    def url(self) -> str:
        """The bus's URL, password included: not for logs."""
        return f"nats://{_USER}:{self._credentials.bus_password}@127.0.0.1:{self._port}"

    def argv(self) -> list[str]:
        """What starts the server in the foreground."""
        return [str(binaries.nats_server()), "--config", str(self._config)]

    def prepare(self) -> None:
        """Write the configuration; the password stands in it and nowhere else."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = {
            "listen": f"127.0.0.1:{self._port}",
            "server_name": "kurama",
            "authorization": {"user": _USER, "password": self._credentials.bus_password},
            # Larger than any batch that ingest makes.
            "max_payload": 8 * 1024 * 1024,
            "write_deadline": "10s",
            "jetstream": {
                "store_dir": str(self._folder / "jetstream"),
                # Room for the records and for what JetStream keeps beside them.
                "max_file_store": self._max_bytes + self._max_bytes // 4 + 256 * 1024 * 1024,
                "max_memory_store": 16 * 1024 * 1024,
                # An acknowledged record survives kill -9 at once and a power cut after this.
                "sync_interval": "1s",
            },
        }
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(configuration, indent=2))

    @property
    def _config(self) -> Path:
        return self._folder / "nats.conf"
