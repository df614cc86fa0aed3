"""The words of the platform as types: what is stored, what is passed on. No behaviour, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in."""

    id: int
    email: str
    is_admin: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A credential of an account; its text is shown once and kept only as a hash."""

    id: int
    account_id: int
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class App:
    """An application. `release_id` and `version` are of the release that serves, or None.

    `owner` is the owner's e-mail address.
    """

    id: int
    name: str
    owner_id: int
    release_id: int | None
    created_at: datetime
    owner: str
    version: int | None


@dataclass(frozen=True, slots=True)
class ConfigVariable:
    """One variable of an app's environment. A secret's value is never shown again."""

    name: str
    value: str = field(repr=False)
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """The immutable result of a build. `reference` is what the worker's runtime knows it by."""

    id: int
    app_id: int
    reference: str
    commit: str
    processes: Mapping[str, str]
    release_command: str | None
    python_version: str
    created_at: datetime


class ReleaseState(StrEnum):
    """Where a release is in its life; at most one release of an app is LIVE."""

    PENDING = "pending"
    LIVE = "live"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Release:
    """An image and a config, numbered v1, v2 …; never changed but for its state."""

    id: int
    app_id: int
    version: int
    image_id: int
    config: Mapping[str, str] = field(repr=False)
    description: str
    state: ReleaseState
    created_by: str
    created_at: datetime

    @property
    def label(self) -> str:
        """The release as people write it: "v12"."""
        return f"v{self.version}"


class DeployKind(StrEnum):
    """What made the platform start new replicas."""

    PUSH = "push"
    CONFIG = "config"
    SCALE = "scale"
    RESTART = "restart"
    ROLLBACK = "rollback"


class DeployState(StrEnum):
    """QUEUED waits for the app's lock, RUNNING holds it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deploy:
    """One change of what runs, from its request to its end, with what it printed.

    `timings` are seconds by part: build, release, start, probe, switch, total.
    """

    id: int
    app_id: int
    kind: DeployKind
    state: DeployState
    created_by: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    release_id: int | None = None
    branch: str | None = None
    old_commit: str | None = None
    new_commit: str | None = None
    error: Mapping[str, Any] | None = None
    timings: Mapping[str, float] | None = None
    output: str = ""


class ReplicaState(StrEnum):
    """STARTING may still fail; CRASHED was given up on after repeated tries."""

    STARTING = "starting"
    RUNNING = "running"
    CRASHED = "crashed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Replica:
    """One running copy of a process of a release ("web.1"). `instance` is unique for ever."""

    instance: str
    app: str
    release: int
    process: str
    number: int
    worker: str
    host: str
    port: int
    state: ReplicaState
    created_at: float
    started_at: float | None = None
    has_exited: bool = False
    detail: str = ""

    @property
    def label(self) -> str:
        """The replica as people write it: "web.1"."""
        return f"{self.process}.{self.number}"
