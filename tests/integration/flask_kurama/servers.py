"""Servers as subprocesses, and what they write."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_kurama.parts import Joiner
from flask_kurama.record import FIELDS, decode
from tests.conftest import eventually

HERE = Path(__file__).parent
TIMEOUT_S = 20.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Output:
    """Reads a pipe to its end: records, part lines joined, and other lines, in their order."""

    def __init__(self, pipe: Any) -> None:
        self.joiner = Joiner(time.monotonic)
        self.lines: list[bytes] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._pipe:
            whole = self.joiner.join(line)
            if whole is not None:
                self.lines.append(whole.rstrip(b"\n"))

    def join(self) -> None:
        """Wait until the writers have gone."""
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines that are records, each of which the pipeline can read."""
        found = [json.loads(line) for line in self.lines if decode(line)]
        assert all(tuple(record) == FIELDS for record in found)
        return found

    @property
    def texts(self) -> list[str]:
        """The lines that are none."""
        return [line.decode() for line in self.lines if not decode(line)]

    def about(self, start: str) -> list[dict[str, Any]]:
        """The records whose message begins like this."""
        return [record for record in self.records if record["message"].startswith(start)]

    def of_request(self, request_id: str) -> list[dict[str, Any]]:
        """The records of one request."""
        return [record for record in self.records if record["request_id"] == request_id]


class Server:
    """A server process, its port, its stdout and its stderr."""

    def __init__(
        self, argv: list[str], port: int, environment: Mapping[str, str], read: bool
    ) -> None:
        self.port = port
        self.process = subprocess.Popen(
            argv,
            cwd=HERE,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.stderr = Output(self.process.stderr)
        self._stdout: Output | None = None
        if read:
            self.read()
        try:
            eventually(self._listens, TIMEOUT_S, str(argv))
        except BaseException:
            self.process.kill()
            raise

    def read(self) -> None:
        """Begin to read its stdout, if nobody does."""
        self._stdout = self._stdout or Output(self.process.stdout)

    @property
    def stdout(self) -> Output:
        """What it has written."""
        assert self._stdout, "nobody reads"
        return self._stdout

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.stderr.lines
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def get(self, path: str, verb: str = "GET", **headers: str) -> bytes:
        """The body of a response; an error's too. Header names have _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(
                verb, path, headers={name.replace("_", "-"): text for name, text in headers.items()}
            )
            return connection.getresponse().read()
        except http.client.IncompleteRead as broken:
            return broken.partial
        finally:
            connection.close()

    def leave_early(self, path: str) -> None:
        """Begin to read a response, and go."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nX-Request-Id: gone\r\n\r\n".encode())
            assert connection.recv(10_000)

    def stop(self) -> None:
        """End it as a platform does, and read what it still writes."""
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
        for output in (self.stdout, self.stderr):
            output.join()


# How each server is started: arguments for a port.
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn sync": lambda port: _gunicorn(port, "--workers=1"),
    "gunicorn gthread": lambda port: _gunicorn(port, "--worker-class=gthread", "--threads=4"),
    "gunicorn preload": lambda port: _gunicorn(port, "--workers=2", "--preload"),
    "waitress": lambda port: ["-m", "waitress", f"--listen=127.0.0.1:{port}", "shop:app"],
    "flask run": lambda port: ["-m", "flask", "--app", "shop", "run", "--port", str(port)],
}


def _gunicorn(port: int, *arguments: str) -> list[str]:
    return [
        *("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
        *arguments,
        "shop:app",
    ]


@contextlib.contextmanager
def serving(
    arguments: Callable[[int], list[str]],
    customized: Path,
    read: bool = True,
    **environment: str,
) -> Iterator[Server]:
    """A running server, instrumented at its interpreter's start by `customized`."""
    port = free_port()
    path = os.pathsep.join([str(customized), str(HERE.parents[2])])
    server = Server(
        [sys.executable, *arguments(port)], port, {"PYTHONPATH": path, **environment}, read
    )
    try:
        yield server
    finally:
        server.read()
        server.stop()


def customize(folder: Path) -> Path:
    """A folder for PYTHONPATH that does what the .pth line of an app's environment does."""
    (folder / "sitecustomize.py").write_text("import flask_kurama.auto\n")
    return folder
