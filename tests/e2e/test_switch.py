"""No request is dropped while what runs is changed under load."""

from collections.abc import Callable

import pytest

from tests.harness import Checkout, Platform, User, hello
from tests.load import visitors


@pytest.fixture(scope="module")
def app(ann: User) -> Checkout:
    """An app with a release before the live one."""
    made = ann.app("switched", hello())
    made.deploy()
    made.deploy(hello("2"))
    return made


def _deploy(app: Checkout) -> None:
    app.deploy(hello("3"))


def _up(app: Checkout) -> None:
    done = app.kurama("scale", "web=3")
    assert done.status == 0, done.all


def _restart(app: Checkout) -> None:
    done = app.kurama("restart")
    assert done.status == 0, done.all


def _rollback(app: Checkout) -> None:
    done = app.kurama("rollback")
    assert done.status == 0, done.all


def _config(app: Checkout) -> None:
    done = app.kurama("config", "set", "COLOUR=green")
    assert done.status == 0, done.all


def _down(app: Checkout) -> None:
    done = app.kurama("scale", "web=1")
    assert done.status == 0, done.all


@pytest.mark.parametrize("change", [_deploy, _up, _restart, _rollback, _config, _down])
def test_no_request_is_dropped(
    platform: Platform, app: Checkout, change: Callable[[Checkout], None]
) -> None:
    """Eight visitors ask without a pause while the change is made, and each is answered."""
    port = platform.settings["router"]["port"]
    with visitors(f"switched.localhost:{port}", port) as tally:
        change(app)
    assert tally.failures == []
    assert tally.answered > 50
