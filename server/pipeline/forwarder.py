"""The collector's connection to ingest: sends records, returns when ingest has them on the bus."""

import json
import socket
from collections.abc import Callable, Sequence

from server.errors import StreamError

_TIMEOUT_S = 30.0
# Ingest answers each of its own reads; this much at once keeps both ends busy.
_MOST_BYTES = 1024 * 1024

Connect = Callable[[tuple[str, int], float], socket.socket]
"""Opens a connection to (host, port), with a timeout in seconds; raises OSError."""


class Forwarder:
    """One TCP connection; opened by the first `send`, and again after it was lost."""

    def __init__(
        self, host: str, port: int, token: str, connect: Connect = socket.create_connection
    ) -> None:
        self._address = (host, port)
        self._token = token
        self._connect = connect
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[bytes]) -> None:
        """Send record lines and wait until all are safe; after StreamError, send them all again."""
        try:
            connection = self._connected()
            batch: list[bytes] = []
            size = 0
            for line in lines:
                batch.append(line)
                size += len(line)
                if size > _MOST_BYTES:
                    self._exchange(connection, batch)
                    batch, size = [], 0
            if batch:
                self._exchange(connection, batch)
        except (OSError, ValueError) as error:
            self.close()
            host, port = self._address
            raise StreamError(
                f"Ingest at {host}:{port} didn't take the records: {error}"
            ) from error

    def close(self) -> None:
        """Give the connection up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = self._connect(self._address, _TIMEOUT_S)
            header = {"token": self._token, "acks": True}
            connection.sendall(json.dumps(header).encode() + b"\n")
            answer = json.loads(_line(connection))
            if "error" in answer:
                connection.close()
                raise ValueError(answer["error"])
            self._socket = connection
        return self._socket

    def _exchange(self, connection: socket.socket, batch: Sequence[bytes]) -> None:
        connection.sendall(b"".join(batch))
        left = len(batch)
        while left > 0:
            left -= int(_line(connection))


def _line(connection: socket.socket) -> bytes:
    """The next short line; ingest never sends more than it was asked for."""
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise ValueError("it closed the connection")
        line += piece
    return line
