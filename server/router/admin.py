"""Caddy's admin API over its unix socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from server.errors import RouterError

_TIMEOUT_S = 10.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Admin:
    """One Caddy. Every call may raise RouterError, with what Caddy said."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def load(self, configuration: Any) -> None:
        """Make Caddy run `configuration`; one that it runs already changes nothing."""
        self._call("POST", "/load", json.dumps(configuration).encode())

    def ping(self) -> None:
        """Return if Caddy answers."""
        self._call("GET", "/config/admin")

    def metrics(self) -> str:
        """Caddy's counters in Prometheus' text format."""
        return self._call("GET", "/metrics").decode()

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise RouterError(
                f"The router (Caddy) can't be reached: {error}", "`kurama status` shows its state."
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise RouterError(f"The router refused its configuration: {answer.decode().strip()}")
        return answer
