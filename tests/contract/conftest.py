"""The runtimes that the contract's suite is held against."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.runtime import Runtime
from agent.sandbox.options import Options
from agent.sandbox.runtime import SandboxRuntime
from tests.conftest import needs
from tests.contract.tenant import Tenant
from tests.harness import free_ports

LOG_BUFFER = 4_000_000


def _sandbox(isolation: str) -> Callable[[Path, int], Runtime]:
    def make(home: Path, first_port: int) -> Runtime:
        options = Options(
            isolation=isolation,
            first_port=first_port,
            last_port=first_port + 99,
            log_buffer=LOG_BUFFER,
            build_timeout=120.0,
            run_timeout=20.0,
            min_free_disk=1_000_000,
        )
        return SandboxRuntime(home, home / "supervisor.sock", options)

    return make


# A runtime that is added here has the whole suite to pass.
RUNTIMES: Mapping[str, Callable[[Path, int], Runtime]] = {
    "sandbox": _sandbox("auto"),
    "sandbox without isolation": _sandbox("off"),
}
# Of these, the ones that keep apps apart.
ISOLATING = ("sandbox",)


@dataclass
class Host:
    """A worker host: a home for a runtime, which an agent that starts there finds as it was."""

    make: Callable[[Path, int], Runtime]
    home: Path
    first_port: int

    def agent(self) -> Runtime:
        """The runtime of a newly started agent."""
        return self.make(self.home, self.first_port)


@pytest.fixture(scope="session", params=list(RUNTIMES))
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """A host of each kind; nothing runs on it afterwards."""
    # Short: a unix socket's path has 107 bytes.
    home = tmp_path_factory.mktemp("w") / "h"
    found = Host(RUNTIMES[request.param], home, _first_port())
    if request.param in ISOLATING:
        needs(found.agent().describe()["isolation"] != "none", "bubblewrap doesn't work here")
    try:
        yield found
    finally:
        agent = found.agent()
        agent.stop([replica.instance for replica in agent.replicas()], wait=True)
        agent.shutdown()


@pytest.fixture(scope="session")
def runtime(host: Host) -> Runtime:
    """What one agent on the host has."""
    return host.agent()


@pytest.fixture(scope="session")
def blog(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """An app that is built."""
    tenant = Tenant(runtime, "blog", tmp_path_factory.mktemp("blog"))
    tenant.build()
    return tenant


@pytest.fixture(scope="session")
def blog2(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """Somebody else's app, with a name that begins like the other's."""
    tenant = Tenant(runtime, "blog2", tmp_path_factory.mktemp("blog2"))
    tenant.build()
    return tenant


def _first_port() -> int:
    """Where a hundred ports begin, the first of them free; below those that clients are given."""
    return 20_000 + free_ports(1)[0] % 90 * 100
