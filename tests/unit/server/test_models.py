"""The words of the platform as types."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from server.models import (
    ConfigVariable,
    DeployKind,
    DeployState,
    Release,
    ReleaseState,
    Replica,
    ReplicaState,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def release() -> Release:
    """v12, with a secret in its config."""
    return Release(1, 2, 12, 3, {"API_KEY": "hush"}, "Deploy", ReleaseState.LIVE, "a@b", NOW)


def test_things_are_called_as_people_call_them() -> None:
    """v12 and web.1."""
    replica = Replica(
        "shop-1", "shop", 12, "web", 1, "local", "127.0.0.1", 20_000, ReplicaState.RUNNING, 0.0
    )
    assert (release().label, replica.label) == ("v12", "web.1")


def test_values_of_config_are_never_shown() -> None:
    """Not even when a release or a variable stands in a log by accident."""
    variable = ConfigVariable("API_KEY", "hush", is_secret=True)
    for shown in (repr(release()), str(release()), repr(variable), f"{[variable]}"):
        assert "hush" not in shown
    assert "API_KEY" in repr(variable)


def test_a_model_never_changes() -> None:
    """What was read stays what was read."""
    with pytest.raises(FrozenInstanceError):
        release().version = 13  # type: ignore[misc]


@pytest.mark.parametrize("states", [ReleaseState, DeployState, DeployKind, ReplicaState])
def test_states_are_their_own_words(states: type[ReleaseState]) -> None:
    """The database and the API have the words themselves."""
    for state in states:
        assert f"{state}" == state.name.lower() == states(state.value)
