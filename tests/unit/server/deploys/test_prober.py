"""New replicas are asked until each has answered, has ended, or the time is up."""

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.deploys.prober import PROBE_HEADER, Prober
from server.errors import ProbeFailed
from server.models import Replica, ReplicaState
from server.workers.client import Worker
from tests.unit.clock import Clock
from tests.unit.server.agent_double import AgentDouble

HOST = "shop.localhost:5080"
Outcome = int | Exception


def replica(process: str = "web", number: int = 1) -> Replica:
    """One that was just started."""
    return Replica(
        f"shop-{process}-{number}", "shop", 2, process, number, "local", "127.0.0.1",
        20_000 + number, ReplicaState.STARTING, 0.0,
    )  # fmt: skip


class World:
    """The replicas' answers over HTTP, and what their worker says of them; time passes by sleep.

    `answers` are given in turn, the last again and again.
    """

    def __init__(self) -> None:
        self.answers: list[Outcome] = [200]
        self.state: dict[str, Any] = {"state": "running"}
        self.gone = False
        self.lines: list[str] = []
        self.asked: list[tuple[int, str, dict[str, str]]] = []
        self.clock = Clock()
        self.listens = True
        self._agent = AgentDouble(
            {
                "replicas": self._replicas,
                "tail": lambda _: self.lines,
                "listens": lambda _: self.listens,
            }
        )
        self._worker = Worker("local", lambda: self._agent, {})
        self._started: list[Replica] = []

    def wait(self, *replicas: Replica, timeout_s: float = 5.0, path: str = "/") -> float:
        """Probe them."""
        self._started = list(replicas)
        prober = Prober(
            self._worker, path=path, timeout_s=timeout_s, clock=self.clock, sleep=self._sleep
        )
        return prober.wait(replicas, HOST)

    def close(self) -> None:
        """End the agent."""
        self._worker.close()

    def _sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def _replicas(self, _: object) -> list[dict[str, Any]]:
        return [
            {
                "instance": one.instance,
                "app": one.app,
                "release": one.release,
                "process": one.process,
                "number": one.number,
                "host": one.host,
                "port": one.port,
                "created_at": 0.0,
                **self.state,
            }
            for one in self._started
            if not self.gone
        ]

    def connection(self, host: str, port: int, timeout: float) -> "_Connection":
        """Stands in for http.client.HTTPConnection."""
        assert (host, timeout > 0) == ("127.0.0.1", True)
        return _Connection(self, port)


class _Connection:
    """One request to a replica."""

    def __init__(self, world: World, port: int) -> None:
        self._world = world
        self._port = port
        self.status = 0

    def request(self, method: str, path: str, headers: dict[str, str]) -> None:
        """Ask."""
        assert method == "GET"
        self._world.asked.append((self._port, path, headers))
        answers = self._world.answers
        outcome = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(outcome, Exception):
            raise outcome
        self.status = outcome

    def getresponse(self) -> "_Connection":
        """It answers itself."""
        return self

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One where all is well."""
    world = World()
    monkeypatch.setattr(http.client, "HTTPConnection", world.connection)
    yield world
    world.close()


def failure(wait: Callable[[], object]) -> ProbeFailed:
    """With what a probe fails."""
    with pytest.raises(ProbeFailed) as caught:
        wait()
    return caught.value


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 499])
def test_any_answer_below_500_is_healthy(world: World, status: int) -> None:
    """An app need have nothing at /."""
    world.answers = [status]
    assert world.wait(replica()) == 0.0


def test_a_probe_is_what_a_visitor_would_ask(world: World) -> None:
    """The app's own host, the path of the settings; and a mark, so that it leaves no record."""
    world.wait(replica(), path="/health")
    ((port, path, headers),) = world.asked
    assert (port, path) == (20_001, "/health")
    assert headers["Host"] == HOST
    assert headers[PROBE_HEADER] == "1"


def test_a_replica_gets_the_time_that_it_takes(world: World) -> None:
    """To listen, and to answer well; how long it took is told."""
    world.answers = [ConnectionRefusedError(), ConnectionRefusedError(), 503, 200]
    assert world.wait(replica()) == pytest.approx(0.06)
    assert len(world.asked) == 4


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (500, "it answers GET / with 500"),
        (ConnectionRefusedError(), "nothing listens on port 20001, which is its $PORT"),
        (http.client.BadStatusLine("x"), "it doesn't speak HTTP on its $PORT (BadStatusLine)"),
        (TimeoutError(), "it takes connections, but doesn't answer GET / within 10 s"),
    ],
)
def test_a_replica_that_never_answers_well_fails(world: World, outcome: Outcome, says: str) -> None:
    """When the time is up, with what was wrong at last and what it printed."""
    world.answers = [outcome]
    world.lines = ["Listening on 8000"]
    error = failure(lambda: world.wait(replica()))
    assert error.message == (
        f"web.1 wasn't healthy within 5 s ({says})\nIts last lines:\n    Listening on 8000"
    )
    assert "must listen on port $PORT" in error.hint
    assert 5.0 <= world.clock.now - 1000.0 < 5.5


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"state": "crashed", "detail": "exit 3"}, "web.1 ended while it was starting"),
        ({"state": "running", "has_exited": True}, "web.1 ended while it was starting"),
    ],
)
def test_a_replica_that_has_ended_fails_at_once(
    world: World, state: dict[str, Any], says: str
) -> None:
    """Long before the time is up; one that printed nothing says that too."""
    world.answers = [ConnectionRefusedError()]
    world.state = state
    error = failure(lambda: world.wait(replica()))
    assert error.message == f"{says}\nIt printed nothing."
    assert world.clock.now - 1000.0 < 1.0


def test_another_programs_answer_is_not_the_replicas(world: World) -> None:
    """Whoever has taken its port must not get its visitors."""
    world.listens = False
    assert "another program listens on port 20001" in failure(lambda: world.wait(replica())).message


def test_a_replica_that_is_gone_fails_at_once(world: World) -> None:
    """Somebody else stopped it."""
    world.answers = [ConnectionRefusedError()]
    world.gone = True
    assert "ended while it was starting" in failure(lambda: world.wait(replica())).message


def test_another_process_is_healthy_when_it_runs(world: World) -> None:
    """It is not asked over HTTP."""
    assert world.wait(replica("worker")) == 0.0
    assert world.asked == []


def test_another_process_that_keeps_starting_fails(world: World) -> None:
    """And nothing is said of ports, which it has none of."""
    world.state = {"state": "starting"}
    error = failure(lambda: world.wait(replica("worker")))
    assert "worker.1 wasn't healthy within 5 s (it keeps starting)" in error.message
    assert "$PORT" not in error.hint


def test_every_replica_is_asked(world: World) -> None:
    """More than are asked at once too; and none at all is healthy."""
    world.wait(*(replica(number=n) for n in range(1, 21)))
    assert sorted(port for port, _, _ in world.asked) == list(range(20_001, 20_021))
    assert world.wait() == 0.0
