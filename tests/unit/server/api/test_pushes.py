"""What the hooks of one push may ask."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.api.pushes import Push, Pushes
from server.errors import Forbidden
from server.models import Account, App

NOW = datetime(2026, 1, 31, tzinfo=UTC)
APP = App(1, "shop", 1, None, NOW, "a@b", None)
ACCOUNT = Account(1, "a@b", is_admin=False, created_at=NOW)


@pytest.fixture
def pushes() -> Pushes:
    """None yet."""
    return Pushes()


def test_a_push_is_found_by_its_secret(pushes: Pushes) -> None:
    """Each has its own."""
    one, other = pushes.open(APP, ACCOUNT), pushes.open(APP, ACCOUNT)
    assert pushes.find(one.id, one.secret) is one
    assert one.secret != other.secret


@pytest.mark.parametrize("secret", ["", "guess", "gu\xe9ss"])
def test_another_secret_finds_nothing(pushes: Pushes, secret: str) -> None:
    """Whatever a header can carry; the answer is as for a push that isn't there."""
    one = pushes.open(APP, ACCOUNT)
    with pytest.raises(Forbidden) as wrong:
        pushes.find(one.id, secret)
    with pytest.raises(Forbidden) as missing:
        pushes.find("nobody", secret)
    assert wrong.value.message == missing.value.message


def test_the_secret_of_another_push_finds_nothing(pushes: Pushes) -> None:
    """A hook deploys its own push only."""
    one, other = pushes.open(APP, ACCOUNT), pushes.open(APP, ACCOUNT)
    with pytest.raises(Forbidden):
        pushes.find(one.id, other.secret)


def test_a_push_that_has_ended_is_forgotten_with_its_trees(pushes: Pushes, tmp_path: Path) -> None:
    """Those that no deploy took over; a second end changes nothing."""
    one = pushes.open(APP, ACCOUNT)
    tree = tmp_path / "tree"
    tree.mkdir()
    one.contexts["c" * 40] = tree
    pushes.close(one)
    pushes.close(one)
    assert not tree.exists()
    with pytest.raises(Forbidden):
        pushes.find(one.id, one.secret)


def test_a_secret_is_never_shown(pushes: Pushes) -> None:
    """Not by repr."""
    one: Push = pushes.open(APP, ACCOUNT)
    assert one.secret not in repr(one)
