"""The JSON of the API: what comes in and what goes out. Keys here are a contract."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.deploys.usage import Use
from server.models import Account, App, Deploy, Release, Replica, Token


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


# Of text that goes to PostgreSQL, which holds no NUL.
NO_NUL = r"^[^\x00]*$"


class Login(_In):
    """Who logs in; `name` says where the token will be used."""

    email: str = Field(max_length=256, pattern=NO_NUL)
    password: str = Field(max_length=1024)
    name: str = Field(default="api", max_length=100, pattern=NO_NUL)


class NewToken(_In):
    """A token for a machine; `expires` is a length of time ("90d"), or null for the usual one."""

    name: str = Field(min_length=1, max_length=100, pattern=NO_NUL)
    expires: str | None = Field(default=None, max_length=20)


class NewAccount(_In):
    """An account for somebody else; only admins make one."""

    email: str = Field(max_length=256)
    password: str = Field(min_length=8, max_length=1024)
    is_admin: bool = False


class NewPassword(_In):
    """One's own password."""

    old: str = Field(max_length=1024)
    new: str = Field(min_length=8, max_length=1024)


class NewApp(_In):
    """An app by its name."""

    name: str = Field(max_length=256)


class NewVariable(_In):
    """A variable's value; `secret` None lets its name decide."""

    value: str = Field(max_length=65536)
    secret: bool | None = None


class ConfigPatch(_In):
    """Variables to set and names to remove."""

    set: dict[str, NewVariable] = Field(default_factory=dict, max_length=200)
    unset: list[str] = Field(default_factory=list, max_length=200)


class NewFormation(_In):
    """How many replicas of each process."""

    quantities: dict[str, int] = Field(min_length=1, max_length=50)


class RollbackTo(_In):
    """The release to go back to; None is the one before the live one."""

    version: int | None = Field(default=None, ge=1)


class Problem(BaseModel):
    """What went wrong, to what, and what to do."""

    code: str
    message: str
    hint: str


class Failure(BaseModel):
    """Every error's body."""

    error: Problem


class AccountOut(BaseModel):
    """An account."""

    email: str
    is_admin: bool
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> "AccountOut":
        return cls(email=account.email, is_admin=account.is_admin, created_at=account.created_at)


class TokenOut(BaseModel):
    """A token without its text."""

    id: int
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, token: Token) -> "TokenOut":
        return cls(
            id=token.id,
            name=token.name,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
        )


class LoggedIn(BaseModel):
    """A new token's text: shown this once."""

    token: str
    expires_at: datetime | None
    account: AccountOut


class AppOut(BaseModel):
    """An app; `release` is the live one ("v12"), or null."""

    name: str
    url: str
    git_url: str
    owner: str
    release: str | None
    created_at: datetime


class VariableOut(BaseModel):
    """A variable; a secret's value is null: it can be replaced, not read."""

    name: str
    value: str | None
    secret: bool


class ReplicaOut(BaseModel):
    """A replica: `name` is "web.1"; `memory_mb` and `cpu_percent` are null where unknown."""

    name: str
    process: str
    release: str
    state: str
    worker: str
    started_at: datetime | None
    detail: str
    memory_mb: float | None
    cpu_percent: float | None

    @classmethod
    def of(cls, replica: Replica, use: Use) -> "ReplicaOut":
        started = replica.started_at
        return cls(
            name=replica.label,
            process=replica.process,
            release=f"v{replica.release}",
            state=replica.state,
            worker=replica.worker,
            started_at=datetime.fromtimestamp(started).astimezone() if started else None,
            detail=replica.detail,
            memory_mb=None if use.memory is None else round(use.memory / 1_000_000, 1),
            cpu_percent=use.cpu_percent,
        )


class Processes(BaseModel):
    """What runs, and how many of each process are wanted with which command."""

    replicas: list[ReplicaOut]
    formation: dict[str, int]
    commands: dict[str, str]


class ReleaseOut(BaseModel):
    """A release, without its config's values."""

    version: str
    state: str
    description: str
    commit: str
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, release: Release, commit: str) -> "ReleaseOut":
        return cls(
            version=release.label,
            state=release.state,
            description=release.description,
            commit=commit,
            created_by=release.created_by,
            created_at=release.created_at,
        )


class DeployOut(BaseModel):
    """A deploy; `error` is set where it failed; `timings` are seconds by part."""

    id: int
    kind: str
    state: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    release: str | None
    error: Problem | None
    timings: dict[str, float] | None

    @classmethod
    def of(cls, deploy: Deploy, release: Release | None = None) -> "DeployOut":
        return cls(
            id=deploy.id,
            kind=deploy.kind,
            state=deploy.state,
            created_by=deploy.created_by,
            created_at=deploy.created_at,
            started_at=deploy.started_at,
            ended_at=deploy.ended_at,
            release=release.label if release else None,
            error=Problem(**deploy.error) if deploy.error else None,
            timings=dict(deploy.timings) if deploy.timings else None,
        )


class Changed(BaseModel):
    """The deploy that carries a change out; null when nothing had to run for it."""

    deploy: DeployOut | None


class Info(BaseModel):
    """What a client may know before it logs in."""

    name: str = "kurama"
    version: str
    api: str = "v1"


class Apps(BaseModel):
    """A list of apps."""

    apps: list[AppOut]


class Config(BaseModel):
    """An app's variables."""

    config: list[VariableOut]


class Releases(BaseModel):
    """A list of releases, newest first."""

    releases: list[ReleaseOut]


class Tokens(BaseModel):
    """A list of tokens."""

    tokens: list[TokenOut]


class Accounts(BaseModel):
    """A list of accounts."""

    accounts: list[AccountOut]


class Records(BaseModel):
    """Records, oldest first; each has the ten fields and those that the platform adds."""

    records: list[dict[str, Any]]


class AppSummary(BaseModel):
    """An app with what belongs to it."""

    app: AppOut


def app_out(app: App, *, url: str, git_url: str) -> AppOut:
    """The API's view of an app."""
    return AppOut(
        name=app.name,
        url=url,
        git_url=git_url,
        owner=app.owner,
        release=f"v{app.version}" if app.version else None,
        created_at=app.created_at,
    )
