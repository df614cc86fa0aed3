"""What every runtime offers, whether it keeps processes or containers.

`server` knows these shapes only as JSON over the wire; the agent turns them with `asdict`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Output = Callable[[str], None]
"""Takes one line of a build's or a command's output, without its newline."""


@dataclass(frozen=True, slots=True)
class Image:
    """The immutable result of a build. `reference` is the runtime's own name for it."""

    reference: str
    processes: Mapping[str, str]
    release_command: str | None
    python_version: str
    notes: Sequence[str] = ()
    reused_dependencies: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one replica may use; `memory` in bytes, `cpus` in cores."""

    memory: int
    cpus: float


@dataclass(frozen=True, slots=True)
class Launch:
    """A request for `count` replicas of one process of a release, numbered from `first`."""

    app: str
    release: int
    process: str
    image: str
    count: int
    limits: Limits
    environment: Mapping[str, str] = field(repr=False)
    first: int = 1
    grace_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One replica as it is now. `state` is one of starting, running, crashed, stopping, stopped.

    `has_exited` says that it has ended by itself at least once since it was launched, which was at
    `created_at`; it runs since `started_at`, both in seconds since the epoch; `detail` says why it
    isn't running, for people.
    """

    instance: str
    app: str
    release: int
    process: str
    number: int
    host: str
    port: int
    state: str
    created_at: float
    started_at: float | None
    has_exited: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Whole lines of one replica's output, and where they stand.

    `file` names the file that they are in, `offsets` says at which byte each begins: the two are
    the line's identity, however often it is read. `cursor` is what to ask with to go on behind
    them. With `gap`, lines before them were given up, because nobody had read them when the buffer
    was full. With `ended`, the replica is gone and these are its last lines: `drop_logs` may be
    called when they are safe.
    """

    instance: str
    app: str
    release: int
    process: str
    number: int
    lines: Sequence[str]
    offsets: Sequence[int]
    file: str
    cursor: str
    gap: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """A replica's use of its limits: `cpu_s` is cumulative; `memory_limit` is None without one."""

    instance: str
    cpu_s: float | None
    memory: int | None
    memory_limit: int | None


class LogFollower(Protocol):
    """Reads what replicas print, as they print it."""

    def read(self, wait_s: float, most: int, stop: "Stop") -> list[LogChunk]:
        """What there is, of about `most` bytes; waits at most `wait_s` for the first of it."""

    def close(self) -> None:
        """Give its files up."""


class Stop(Protocol):
    """Tells a long call that its caller has lost interest."""

    def is_set(self) -> bool:
        """Whether to end."""

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, at most `timeout` seconds; return whether it is."""


class Runtime(Protocol):
    """Builds images and keeps replicas. Methods raise `Fault`."""

    def describe(self) -> Mapping[str, Any]:
        """What this worker can do, with warnings for people."""

    def preflight(
        self, app: str, context: Path, environment: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Check a tree without building it; return what would be built."""

    def build(
        self, app: str, context: Path, environment: Mapping[str, str], output: Output, stop: Stop
    ) -> Image:
        """Make an image of the tree in `context`, which becomes the runtime's."""

    def start(self, launch: Launch) -> list[ReplicaStatus]:
        """Start replicas; return them before they have answered anything."""

    def stop(self, instances: Sequence[str], *, wait: bool) -> None:
        """End replicas and forget them; those that are gone already don't matter.

        Each may first finish its open connections, then gets SIGTERM, then SIGKILL, with the grace
        it was launched with for each. Without `wait`, all of that goes on in the background.
        """

    def revive(self, instances: Sequence[str]) -> None:
        """Try replicas once more that were given up as crashed."""

    def replicas(self, app: str | None = None) -> list[ReplicaStatus]:
        """What runs, of one app or of all."""

    def listens(self, instance: str) -> bool:
        """Whether it is this replica that answers on its port, as far as can be known.

        Replicas share the machine's loopback: another program may have taken the port first.
        """

    def follow(self, cursors: Mapping[str, str]) -> "LogFollower":
        """Follow the output of all replicas, each from its cursor."""

    def drop_logs(self, instances: Sequence[str]) -> None:
        """Delete the output of replicas that are gone; that of others stays."""

    def tail(self, instance: str, count: int) -> list[str]:
        """The last lines of a replica, running or not."""

    def stats(self) -> list[ReplicaStats]:
        """What each replica uses now."""

    def run(
        self,
        image: str,
        app: str,
        command: str,
        environment: Mapping[str, str],
        limits: Limits,
        output: Output,
        stop: Stop,
    ) -> int:
        """Run a one-off command in an image; return its exit status."""

    def prune(self, app: str, keep: Sequence[str]) -> list[str]:
        """Delete the app's images but those in `keep` or in use; return what was deleted."""

    def remove(self, app: str) -> None:
        """Stop everything of an app and delete all that it has here, its data included."""

    def shutdown(self) -> None:
        """Stop all replicas; the next start of this worker starts them again."""
