"""One platform for all stories; each story has users and apps of its own."""

from collections.abc import Iterator

import pytest

from tests.harness import Platform, User, running


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that is up for the whole session."""
    settings = {"deploy": {"boot_timeout": "20s", "drain": "5s"}}
    with running(tmp_path_factory.mktemp("platform"), settings) as up:
        yield up


@pytest.fixture(scope="session")
def ann(platform: Platform) -> User:
    """A developer."""
    return platform.user("ann@example.com")


@pytest.fixture(scope="session")
def bob(platform: Platform) -> User:
    """Another developer, who has nothing to do with Ann's apps."""
    return platform.user("bob@example.com")
