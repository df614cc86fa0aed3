"""The HTTP API's client: one server, one token, JSON in and out.

The standard library's client: urllib3 and requests cost 50 to 100 ms of each command's start.
"""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kurama_cli.errors import (
    CommandFailed,
    NotFound,
    NotLoggedIn,
    ServerUnreachable,
    WrongUsage,
)

_TIMEOUT_S = 60.0
# A stream sends at least a blank line every ten seconds.
_STREAM_TIMEOUT_S = 45.0
_CLASSES: Mapping[int, type[CommandFailed]] = {401: NotLoggedIn, 404: NotFound, 422: WrongUsage}


class Client:
    """Calls one server. Methods raise CommandFailed and its subclasses."""

    def __init__(self, server: str, token: str | None = None) -> None:
        self.server = server.rstrip("/")
        self._token = token

    def get(self, path: str, **query: str | int | None) -> Any:
        """GET a resource."""
        return self._call("GET", _with_query(path, query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST a JSON body."""
        return self._call("POST", path, body or {})

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """PATCH with a JSON body."""
        return self._call("PATCH", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT a JSON body."""
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Any:
        """DELETE a resource."""
        return self._call("DELETE", path)

    def stream(self, path: str, **query: str | int | None) -> Iterator[Any]:
        """The JSON lines of a stream, as they come; blank ones only say that it lives."""
        with self._response("GET", _with_query(path, query), None, _STREAM_TIMEOUT_S) as response:
            for line in response:
                if line.strip():
                    yield self._read(line)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._response(method, path, body, _TIMEOUT_S) as response:
            content = response.read()
        return self._read(content) if content else None

    def _read(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError:
            raise CommandFailed(
                f"What {self.server} answered is not Kurama's: {content[:60]!r}",
                "Is this the server's address, with its port, and http or https as it should be?",
            ) from None

    @contextmanager
    def _response(
        self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection(timeout)
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        try:
            connection.request(method, f"/api/v1{path}", content, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _error(response)
            yield response
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(
                f"Kurama's server at {self.server} can't be reached: {reason}",
                "On its machine, `kurama status` shows its parts and `kurama up` starts it.",
            ) from error
        finally:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        try:
            parts = urllib.parse.urlsplit(self.server)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https"):
            raise WrongUsage(f"{self.server!r} is no server", "Write it as http://host:port.")
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=timeout)


def _with_query(path: str, query: Mapping[str, str | int | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given)}" if given else path


def _error(response: http.client.HTTPResponse) -> CommandFailed:
    """What the server says went wrong, as the error of its status."""
    try:
        problem = json.loads(response.read())["error"]
        message, hint = str(problem["message"]), str(problem["hint"])
    except (ValueError, KeyError, TypeError):
        message, hint = f"The server answered {response.status} {response.reason}", ""
    return _CLASSES.get(response.status, CommandFailed)(message, hint)
