"""PostgreSQL and NATS for a session; each test has a database of its own."""

import os
from collections.abc import Iterator

import pytest

from server.engines import binaries
from server.store.database import Database
from tests.conftest import needs
from tests.engines import Engines, Process
from tests.harness import free_ports


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A home whose PostgreSQL is up."""
    has_uid = os.geteuid() != 0 or binaries.bubblewrap() is not None
    needs(has_uid, "run by root, PostgreSQL needs bubblewrap")
    bus, ingest = free_ports(2)
    found = Engines(
        tmp_path_factory.mktemp("e"),
        bus={"port": bus, "max_bytes": 100_000_000},
        ingest={"port": ingest, "max_connections": 20},
    )
    try:
        found.postgres()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="session")
def nats(engines: Engines) -> Process:
    """Its NATS, which a test may kill and start again."""
    return engines.nats()


@pytest.fixture
def url(engines: Engines) -> str:
    """A new database."""
    return engines.clone()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Connections to a new database."""
    found = Database(url, 4)
    yield found
    found.close()
