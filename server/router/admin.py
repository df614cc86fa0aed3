"""Caddy's admin API over its unix socket."""

import http.client
import json
from pathlib import Path
from typing import Any

from server.errors import RouterError
from server.unix_http import UnixConnection

_TIMEOUT_S = 10.0


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
        connection = UnixConnection(self._path, _TIMEOUT_S)
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
