"""A worker as the control plane sees it: the agent's methods with types."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.wire import VERSION
from server.errors import KuramaError
from server.models import Replica, ReplicaState
from server.workers.channel import Open
from server.workers.connection import Connection, OnEvent

_SHORT_S = 30.0
# Longer than any build or release command may take: those have their own bounds on the worker.
_LONG_S = 3600.0

Output = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What would be built of a tree."""

    source: str
    python_version: str
    processes: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What a build made; `reused_dependencies` says that nothing had to be installed."""

    reference: str
    processes: Mapping[str, str]
    release_command: str | None
    python_version: str
    notes: Sequence[str]
    reused_dependencies: bool


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines of one replica's output and where they stand; see agent.runtime.LogChunk."""

    instance: str
    app: str
    release: int
    process: str
    number: int
    lines: Sequence[str]
    offsets: Sequence[int]
    file: str
    cursor: str
    gap: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What one replica may use: bytes and cores."""

    memory: int
    cpus: float


class Worker:
    """One worker host. Calls may come from any thread and run side by side.

    The channel is opened by the first call, and again after it was cut.
    """

    def __init__(self, name: str, open_channel: Open, options: Mapping[str, Any]) -> None:
        self.name = name
        self._open = open_channel
        self._options = options
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._description: Mapping[str, Any] = {}

    def describe(self) -> Mapping[str, Any]:
        """What the worker can do: runtime, isolation, pythons, warnings."""
        self._connected()
        return self._description

    def preflight(self, app: str, context: Path, environment: Mapping[str, str]) -> Preflight:
        """Check a tree without building it; PreflightFailed where it can't be built."""
        params = {"app": app, "context": str(context), "environment": dict(environment)}
        return Preflight(**self._call("preflight", params))

    def build(
        self,
        app: str,
        context: Path,
        environment: Mapping[str, str],
        output: Output,
        cancelled: threading.Event | None = None,
    ) -> BuiltImage:
        """Build the tree in `context`, which the worker takes over; BuildFailed."""
        params = {"app": app, "context": str(context), "environment": dict(environment)}
        made = self._call(
            "build", params, timeout=_LONG_S, on_event=_to(output), cancelled=cancelled
        )
        return BuiltImage(**made)

    def start(
        self,
        *,
        app: str,
        release: int,
        process: str,
        image: str,
        count: int,
        first: int,
        limits: Limits,
        environment: Mapping[str, str],
        grace_s: float,
    ) -> list[Replica]:
        """Start replicas `first` to `first + count - 1`; they have answered nothing yet."""
        params = {
            "app": app,
            "release": release,
            "process": process,
            "image": image,
            "count": count,
            "first": first,
            "limits": asdict(limits),
            "environment": dict(environment),
            "grace_s": grace_s,
        }
        return [self._replica(fields) for fields in self._call("start", params)]

    def stop(self, instances: Sequence[str]) -> None:
        """Let replicas finish what they have and end them, in the background."""
        self._call("stop", {"instances": list(instances), "wait": False})

    def revive(self, instances: Sequence[str]) -> None:
        """Try replicas once more that were given up as crashed."""
        self._call("revive", {"instances": list(instances)})

    def replicas(self, app: str | None = None) -> list[Replica]:
        """What is meant to run there, of one app or of all, as it is now."""
        return [self._replica(fields) for fields in self._call("replicas", {"app": app})]

    def listens(self, instance: str) -> bool:
        """Whether it is this replica, and no other program, that answers on its port."""
        return bool(self._call("listens", {"instance": instance}))

    def tail(self, instance: str, count: int) -> list[str]:
        """The last lines that a replica printed."""
        return list(self._call("tail", {"instance": instance, "count": count}))

    def logs(
        self, cursors: Mapping[str, str] | None, *, wait_s: float, most: int
    ) -> list[LogChunk]:
        """What replicas printed: first with cursors to begin at, then with None to go on.

        Waits at most `wait_s` for the first of it, returns about `most` bytes. After Unreachable,
        begin again.
        """
        params = {"cursors": cursors, "wait_s": wait_s, "most": most}
        chunks = self._call("logs", params, timeout=wait_s + _SHORT_S)
        return [LogChunk(**chunk) for chunk in chunks]

    def drop_logs(self, instances: Sequence[str]) -> None:
        """Delete the output of replicas that are gone."""
        self._call("drop_logs", {"instances": list(instances)})

    def stats(self) -> list[Mapping[str, Any]]:
        """What each replica uses: instance, cpu_s, memory, memory_limit."""
        return list(self._call("stats", {}))

    def run(
        self,
        *,
        image: str,
        app: str,
        command: str,
        environment: Mapping[str, str],
        limits: Limits,
        output: Output,
        cancelled: threading.Event | None = None,
    ) -> int:
        """Run a one-off command in an image; return its exit status."""
        params = {
            "image": image,
            "app": app,
            "command": command,
            "environment": dict(environment),
            "limits": asdict(limits),
        }
        status = self._call(
            "run", params, timeout=_LONG_S, on_event=_to(output), cancelled=cancelled
        )
        return int(status)

    def prune(self, app: str, keep: Sequence[str]) -> list[str]:
        """Delete the app's images that are neither in `keep` nor in use."""
        return list(self._call("prune", {"app": app, "keep": list(keep)}))

    def remove(self, app: str) -> None:
        """Stop everything of an app and delete all it has there."""
        self._call("remove", {"app": app}, timeout=_LONG_S)

    def shutdown(self) -> None:
        """Stop every replica; what is meant to run comes back with the next agent."""
        self._call("shutdown", {}, timeout=_LONG_S)

    def close(self) -> None:
        """Close the channel."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _call(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        timeout: float = _SHORT_S,
        on_event: OnEvent | None = None,
        cancelled: threading.Event | None = None,
    ) -> Any:
        connection = self._connected()
        return connection.call(
            method, params, timeout=timeout, on_event=on_event, cancelled=cancelled
        )

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or not self._connection.alive:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
                connection = Connection(self._open(), self.name)
                hello = {"version": VERSION, "options": dict(self._options)}
                try:
                    self._description = connection.call("hello", hello, timeout=_SHORT_S)
                except KuramaError:
                    # An agent that we can't speak with must not be left behind by each attempt.
                    connection.close()
                    raise
                self._connection = connection
            return self._connection

    def _replica(self, fields: Mapping[str, Any]) -> Replica:
        return Replica(**{**fields, "worker": self.name, "state": ReplicaState(fields["state"])})


def _to(output: Output) -> OnEvent:
    def on_event(event: str, data: Any) -> None:
        if event == "output":
            output(data)

    return on_event
