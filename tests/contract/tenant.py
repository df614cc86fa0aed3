"""An app for runtimes under test: it does what it is asked over HTTP, and says how that went."""

import contextlib
import http.client
import json
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.runtime import Image, Launch, Limits, LogChunk, LogFollower, ReplicaStatus, Runtime
from tests.conftest import eventually

LIMITS = Limits(memory=256_000_000, cpus=1.0)
_ASK_TIMEOUT_S = 20.0

# The standard library alone, so that a build installs next to nothing.
_APP = """
import http.server, json, os, signal, socket, subprocess, sys, time
from pathlib import Path

def on_sigterm(number, frame):
    print("SIGTERM seen", flush=True)
    if not os.environ.get("STUBBORN"):
        os._exit(0)

signal.signal(signal.SIGTERM, on_sigterm)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        code = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            answer = {"value": eval(code)}
        except BaseException as error:
            answer = {"error": type(error).__name__}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass

print("started", os.environ["KURAMA_REPLICA"], flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
_FILES = {
    "app.py": _APP,
    "requirements.txt": "# nothing\n",
    "Procfile": "web: python app.py\nworker: python app.py\n",
}


class Refused(Exception):
    """The app could not do what it was asked; the message is the exception's class."""


@dataclass
class Tenant:
    """One app on a runtime: an image of it, and ways to start and ask its replicas."""

    runtime: Runtime
    name: str
    folder: Path
    image: str = ""
    output: list[str] = field(default_factory=list)

    def build(self, files: Mapping[str, str] | None = None) -> Image:
        """Build it, from now on to be started from this image."""
        context = Path(tempfile.mkdtemp(dir=self.folder)) / "context"
        context.mkdir()
        for name, text in {**_FILES, **(files or {})}.items():
            (context / name).write_text(text)
        image = self.runtime.build(self.name, context, {}, self.output.append, threading.Event())
        self.image = image.reference
        return image

    def start(self, count: int = 1, *, release: int = 1, **options: Any) -> list[ReplicaStatus]:
        """Start replicas and wait until each answers."""
        launch = Launch(
            app=self.name,
            release=release,
            process=options.pop("process", "web"),
            image=options.pop("image", self.image),
            count=count,
            limits=options.pop("limits", LIMITS),
            environment=options.pop("environment", {}),
            **options,
        )
        started = self.runtime.start(launch)
        for replica in started:
            answers(replica)
        return started

    def run(self, command: str, **environment: str) -> tuple[int, list[str]]:
        """A one-off command: its status and its output."""
        said: list[str] = []
        status = self.runtime.run(
            self.image, self.name, command, environment, LIMITS, said.append, threading.Event()
        )
        return status, said

    @property
    def instances(self) -> list[str]:
        """What runs of it."""
        return [replica.instance for replica in self.runtime.replicas(self.name)]

    def clear(self) -> None:
        """Stop all of it, without waiting for connections that a test left open."""
        self.runtime.stop(self.instances, wait=True)


def ask(replica: ReplicaStatus, code: str) -> Any:
    """What the expression `code` is in the replica; Refused with what it raised."""
    connection = http.client.HTTPConnection(replica.host, replica.port, timeout=_ASK_TIMEOUT_S)
    try:
        connection.request("POST", "/", code.encode())
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["value"]


def end(replica: ReplicaStatus) -> None:
    """Let the replica end by itself, in the middle of a request."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(replica, "os._exit(3)")


def is_up(replica: ReplicaStatus) -> bool:
    """Whether something answers there."""
    try:
        return bool(ask(replica, "True"))
    except (OSError, http.client.HTTPException):
        return False


def answers(replica: ReplicaStatus, timeout: float = 15.0) -> None:
    """Wait until the replica answers."""
    eventually(lambda: is_up(replica), timeout, f"{replica.instance} answers")


def read_until(follower: LogFollower, instance: str, last: str) -> tuple[list[str], str]:
    """One replica's lines up to the line `last`, and the cursor behind them."""
    lines: list[str] = []
    cursor = ""

    def read() -> bool:
        nonlocal cursor
        for chunk in chunks_of(follower, instance):
            lines.extend(chunk.lines)
            cursor = chunk.cursor
        return last in lines

    eventually(read, 15.0, f"{last!r} of {instance}")
    return lines, cursor


def chunks_of(follower: LogFollower, instance: str) -> list[LogChunk]:
    """One reading of a replica's output."""
    chunks = follower.read(0.2, 1_000_000, threading.Event())
    return [chunk for chunk in chunks if chunk.instance == instance]
