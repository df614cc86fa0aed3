"""The JSON of the API: keys are a contract, and what comes in has bounds."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from server.api import schemas
from server.api.schemas import (
    AccountOut,
    DeployOut,
    ReleaseOut,
    ReplicaOut,
    TokenOut,
    VariableOut,
    app_out,
)
from server.deploys.usage import Use
from server.models import (
    Account,
    App,
    Deploy,
    DeployKind,
    DeployState,
    Release,
    ReleaseState,
    Replica,
    ReplicaState,
    Token,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RELEASE = Release(1, 2, 12, 3, {"API_KEY": "hush"}, "Deploy", ReleaseState.LIVE, "a@b", NOW)
REPLICA = Replica(
    "shop-1", "shop", 12, "web", 1, "local", "127.0.0.1", 1, ReplicaState.RUNNING, 0.0, 1.5e9
)

TOO_LONG: dict[type[BaseModel], list[dict[str, Any]]] = {
    schemas.Login: [{"email": "x" * 257, "password": "p"}, {"email": "a", "password": "x" * 1025}],
    schemas.NewToken: [{"name": ""}, {"name": "x" * 101}, {"name": "x", "expires": "1" * 21}],
    schemas.NewAccount: [
        {"email": "a", "password": "x" * 7},
        {"email": "a", "password": "x" * 1025},
    ],
    schemas.NewPassword: [{"old": "o", "new": "x" * 7}],
    schemas.NewApp: [{"name": "x" * 257}],
    schemas.NewVariable: [{"value": "x" * 65_537}],
    schemas.ConfigPatch: [
        {"set": {f"V{n}": {"value": ""} for n in range(201)}},
        {"unset": ["x"] * 201},
    ],
    schemas.NewFormation: [{"quantities": {}}, {"quantities": {f"p{n}": 1 for n in range(51)}}],
    schemas.RollbackTo: [{"version": 0}, {"version": -1}],
}
GOOD: dict[type[BaseModel], dict[str, Any]] = {
    schemas.Login: {"email": "a@b", "password": "p"},
    schemas.NewAccount: {"email": "a@b", "password": "x" * 8},
    schemas.NewPassword: {"old": "", "new": "x" * 8},
    schemas.NewToken: {"name": "ci", "expires": "90d"},
    schemas.NewApp: {"name": "shop"},
    schemas.NewVariable: {"value": ""},
    schemas.ConfigPatch: {"set": {"A": {"value": "1"}}, "unset": ["B"]},
    schemas.NewFormation: {"quantities": {"web": 2}},
    schemas.RollbackTo: {"version": None},
}


@pytest.mark.parametrize("schema", GOOD)
def test_what_is_meant_is_taken(schema: type[BaseModel]) -> None:
    """With its defaults."""
    assert schema.model_validate(GOOD[schema])


@pytest.mark.parametrize("schema", GOOD)
def test_a_key_that_means_nothing_is_refused(schema: type[BaseModel]) -> None:
    """A misspelt option must not be an option that is off."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        schema.model_validate(GOOD[schema] | {"is_adminn": True})


@pytest.mark.parametrize(
    ("schema", "body"), [(schema, body) for schema, bodies in TOO_LONG.items() for body in bodies]
)
def test_what_comes_in_has_bounds(schema: type[BaseModel], body: dict[str, Any]) -> None:
    """Too long, too short, too many, too few."""
    with pytest.raises(ValidationError):
        schema.model_validate(body)


def test_every_schema_that_comes_in_is_tried() -> None:
    """And every one of them refuses what it doesn't know."""
    coming_in = {
        one
        for one in vars(schemas).values()
        if isinstance(one, type)
        and issubclass(one, BaseModel)
        and one.model_config.get("extra") == "forbid"
        and not one.__name__.startswith("_")
    }
    assert coming_in == set(GOOD) == set(TOO_LONG)


def test_an_app_shows_its_live_release() -> None:
    """As people write it, or null before the first."""
    app = App(1, "shop", 1, 1, NOW, "a@b", 12)
    shown = app_out(app, url="http://shop.localhost", git_url="http://h/git/shop.git")
    assert shown.model_dump(mode="json") == {
        "name": "shop",
        "url": "http://shop.localhost",
        "git_url": "http://h/git/shop.git",
        "owner": "a@b",
        "release": "v12",
        "created_at": "2026-01-31T12:00:00Z",
    }
    new = App(1, "shop", 1, None, NOW, "a@b", None)
    assert app_out(new, url="", git_url="").release is None


def test_a_release_shows_none_of_its_config() -> None:
    """Values of which may be secret."""
    shown = ReleaseOut.of(RELEASE, "c" * 40).model_dump_json()
    assert "hush" not in shown
    assert "API_KEY" not in shown
    assert '"version":"v12"' in shown


def test_a_replica_shows_what_is_known() -> None:
    """Megabytes of 1000, percent of its limit; null where unknown."""
    shown = ReplicaOut.of(REPLICA, Use(123_456_789, 12.5))
    assert (shown.name, shown.release, shown.state) == ("web.1", "v12", "running")
    assert (shown.memory_mb, shown.cpu_percent) == (123.5, 12.5)
    assert shown.started_at == datetime.fromtimestamp(1.5e9, UTC)
    unknown = ReplicaOut.of(REPLICA, Use(None, None))
    assert (unknown.memory_mb, unknown.cpu_percent) == (None, None)
    assert set(shown.model_dump()) == {
        "name",
        "process",
        "release",
        "state",
        "worker",
        "started_at",
        "detail",
        "memory_mb",
        "cpu_percent",
    }


def test_a_failed_deploy_says_why() -> None:
    """Another one doesn't."""
    problem = {"code": "build_failed", "message": "no", "hint": "yes"}
    deploy = Deploy(7, 1, DeployKind.PUSH, DeployState.FAILED, "a@b", NOW, error=problem)
    assert DeployOut.of(deploy).model_dump()["error"] == problem
    good = Deploy(7, 1, DeployKind.PUSH, DeployState.SUCCEEDED, "a@b", NOW, timings={"total": 1.5})
    shown = DeployOut.of(good, RELEASE)
    assert (shown.error, shown.release, shown.timings) == (None, "v12", {"total": 1.5})


def test_accounts_and_tokens_show_no_secret() -> None:
    """A token's text is kept nowhere; an account's password has no field."""
    account = AccountOut.of(Account(1, "a@b", is_admin=True, created_at=NOW))
    assert set(account.model_dump()) == {"email", "is_admin", "created_at"}
    token = TokenOut.of(Token(1, 2, "laptop", NOW, None, None))
    assert set(token.model_dump()) == {"id", "name", "created_at", "expires_at", "last_used_at"}


def test_a_secret_variable_may_have_no_value() -> None:
    """It is null, and not an empty text."""
    assert VariableOut(name="A", value=None, secret=True).model_dump()["value"] is None
