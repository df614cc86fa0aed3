"""A server for tests of the command line: what HTTPConnection would be given, and no network."""

import http.client
import io
import json
from dataclasses import dataclass
from typing import Any

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request."""

    server: str
    method: str
    path: str
    body: Any
    token: str | None


class ServerDouble:
    """Answers `METHOD path` (without /api/v1) with what `answers` says: a status and JSON.

    A body of bytes is sent as it is, an exception in place of an answer is raised by connecting,
    and what has no answer is 404.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Exception] = {}
        self.asked: list[Asked] = []

    def connection(self, host: str, port: int | None, timeout: float) -> "_Connection":
        """Stands in for http.client.HTTPConnection."""
        assert timeout > 0
        return _Connection(self, f"http://{host}:{port}")

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [f"{one.method} {one.path}" for one in self.asked]

    def answer(self, method: str, path: str) -> bytes:
        """An HTTP answer."""
        missing = (404, problem("no such thing", "`kurama apps` lists yours."))
        found = self.answers.get(f"{method} {path}", missing)
        if isinstance(found, Exception):
            raise found
        status, body = found
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} {http.client.responses[status]}\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


class _Connection:
    """One connection to it."""

    def __init__(self, server: ServerDouble, address: str) -> None:
        self._server = server
        self._address = address
        self._answer = b""

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        """Ask."""
        assert path.startswith("/api/v1/")
        path = path.removeprefix("/api/v1")
        bearer = headers.get("Authorization")
        self._server.asked.append(
            Asked(
                self._address,
                method,
                path,
                None if body is None else json.loads(body),
                bearer.removeprefix("Bearer ") if bearer else None,
            )
        )
        self._answer = self._server.answer(method, path)

    def getresponse(self) -> http.client.HTTPResponse:
        """The answer, read as from a socket."""
        response = http.client.HTTPResponse(_Socket(self._answer))  # type: ignore[arg-type]
        response.begin()
        return response

    def close(self) -> None:
        """Nothing is open."""


class _Socket:
    """As much of a socket as an HTTPResponse reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def problem(message: str, hint: str = "") -> dict[str, Any]:
    """An error's body."""
    return {"error": {"code": "x", "message": message, "hint": hint}}


def lines(*events: Any) -> bytes:
    """A stream of JSON lines."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)
