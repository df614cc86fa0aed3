"""The typed client of an agent: calls, faults, broken channels. The agent is a double."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent import wire
from agent.faults import FaultCode
from server import errors
from server.errors import KuramaError
from server.models import ReplicaState
from server.workers.client import BuiltImage, Limits, Preflight, Worker
from server.workers.connection import Connection
from tests.conftest import eventually
from tests.unit.server.agent_double import HANG_UP, SILENCE, AgentDouble, Answer, fault

REPLICA = {
    "instance": "shop-1",
    "app": "shop",
    "release": 2,
    "process": "web",
    "number": 1,
    "host": "127.0.0.1",
    "port": 20_000,
    "state": "running",
    "created_at": 1.0,
}
BUILT: dict[str, Any] = {
    "reference": "img",
    "processes": {"web": "gunicorn"},
    "release_command": None,
    "python_version": "3.12",
    "notes": [],
    "reused_dependencies": True,
}


class Machine:
    """A worker host: each channel that is opened leads to a new agent."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.agents: list[AgentDouble] = []
        self.worker = Worker("far", self._open, {"isolation": "auto"})

    def _open(self) -> AgentDouble:
        self.agents.append(AgentDouble(self.answers))
        return self.agents[-1]

    @property
    def agent(self) -> AgentDouble:
        """The latest."""
        return self.agents[-1]

    def params(self, method: str) -> Mapping[str, Any]:
        """What the latest agent was told with the last call of a method."""
        return [one.params for one in self.agent.asked if one.method == method][-1]


@pytest.fixture
def machine() -> Iterator[Machine]:
    """One, whose channels are closed at the end."""
    machine = Machine()
    yield machine
    machine.worker.close()
    for agent in machine.agents:
        agent.close()


def test_the_channel_is_opened_by_the_first_call(machine: Machine) -> None:
    """With a hello that settles the version; later calls go on with it."""
    machine.answers["stats"] = lambda _: []
    assert machine.agents == []
    assert machine.worker.stats() == []
    assert machine.worker.describe() == {"runtime": "double"}
    assert machine.agent.methods() == ["hello", "stats"]
    assert machine.params("hello") == {
        "version": wire.VERSION,
        "options": {"isolation": "auto"},
    }


def test_calls_have_types(machine: Machine, tmp_path: Path) -> None:
    """What comes over the wire as JSON is a Replica, a Preflight, an image."""
    plan = {"source": "uv.lock", "python_version": "3.12", "processes": {}, "notes": ["n"]}
    machine.answers |= {
        "preflight": lambda _: plan,
        "build": lambda _: BUILT,
        "replicas": lambda _: [REPLICA],
    }
    worker = machine.worker
    assert worker.preflight("shop", tmp_path, {}) == Preflight("uv.lock", "3.12", {}, ["n"])
    assert worker.build("shop", tmp_path, {}, print) == BuiltImage(**BUILT)
    (replica,) = worker.replicas("shop")
    assert (replica.label, replica.worker, replica.state) == ("web.1", "far", ReplicaState.RUNNING)
    assert machine.params("preflight") == {
        "app": "shop",
        "context": str(tmp_path),
        "environment": {},
    }


def test_a_start_says_all_that_a_replica_needs(machine: Machine) -> None:
    """By name: the agent takes nothing by its place."""
    machine.answers["start"] = lambda _: [REPLICA]
    started = machine.worker.start(
        app="shop",
        release=2,
        process="web",
        image="img",
        count=1,
        first=3,
        limits=Limits(512, 1.5),
        environment={"A": "1"},
        grace_s=30.0,
    )
    assert [one.instance for one in started] == ["shop-1"]
    assert machine.params("start") == {
        "app": "shop",
        "release": 2,
        "process": "web",
        "image": "img",
        "count": 1,
        "first": 3,
        "limits": {"memory": 512, "cpus": 1.5},
        "environment": {"A": "1"},
        "grace_s": 30.0,
    }


def test_output_comes_while_the_call_runs(machine: Machine, tmp_path: Path) -> None:
    """Events in order, before the result; other events are not output."""
    events = [wire.Event(0, "output", n) for n in ("one", "two")]
    machine.answers["build"] = lambda _: [*events, wire.Event(0, "other", "x"), BUILT]
    said: list[str] = []
    machine.worker.build("shop", tmp_path, {}, said.append)
    assert said == ["one", "two"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("preflight_failed", errors.PreflightFailed),
        ("build_failed", errors.BuildFailed),
        ("disk_full", errors.BuildFailed),
        ("command_failed", errors.ReleaseCommandFailed),
        ("wire_mismatch", errors.WireMismatch),
        ("no_such_image", errors.NotFound),
        ("start_failed", errors.AgentFault),
        ("bad_request", errors.AgentFault),
        ("internal", errors.AgentFault),
        ("from_a_newer_agent", errors.AgentFault),
    ],
)
def test_a_fault_is_raised_as_the_class_of_its_code(
    machine: Machine, code: str, error: type[KuramaError]
) -> None:
    """With the agent's own words; a code without a class keeps its code."""
    machine.answers["stats"] = lambda _: fault(code, "the words", "the hint")
    with pytest.raises(error) as caught:
        machine.worker.stats()
    assert type(caught.value) is error
    assert (caught.value.message, caught.value.hint) == ("the words", "the hint")
    if isinstance(caught.value, errors.AgentFault):
        assert caught.value.fault == code


def test_every_code_of_the_agents_is_tried_above() -> None:
    """A new one is decided upon."""
    (tried,) = (
        mark.args[1]
        for mark in test_a_fault_is_raised_as_the_class_of_its_code.pytestmark  # type: ignore[attr-defined]
    )
    assert set(FaultCode) < {code for code, _ in tried}


def test_a_fault_ends_only_its_own_call(machine: Machine) -> None:
    """The channel goes on."""
    machine.answers |= {"stats": lambda _: fault("internal"), "replicas": lambda _: []}
    with pytest.raises(errors.AgentFault):
        machine.worker.stats()
    assert machine.worker.replicas("shop") == []
    assert len(machine.agents) == 1


def test_an_agent_that_hangs_up_is_unreachable(machine: Machine) -> None:
    """With where to look; the next call opens a new channel, the old one is closed."""
    machine.answers["stats"] = lambda _: HANG_UP
    with pytest.raises(errors.Unreachable, match="The agent on far") as caught:
        machine.worker.stats()
    assert caught.value.hint == AgentDouble.diagnosis
    machine.answers["stats"] = lambda _: [{"instance": "a"}]
    assert machine.worker.stats() == [{"instance": "a"}]
    assert [agent.is_closed for agent in machine.agents] == [True, False]


@pytest.mark.parametrize("noise", [b"Segmentation fault\n", b'{"id":1,"result"', b'{"id":"x"}\n'])
def test_what_is_no_wire_ends_the_channel(machine: Machine, noise: bytes) -> None:
    """Somebody printed on it, or it was cut: no call waits for ever."""

    def answer(_: Mapping[str, Any]) -> Any:
        machine.agent.say(noise)
        return HANG_UP

    machine.answers["stats"] = answer
    with pytest.raises(errors.Unreachable):
        machine.worker.stats()


def test_a_machine_that_is_not_there_is_unreachable() -> None:
    """The channel's own error goes on as it is."""

    def nobody() -> AgentDouble:
        raise errors.Unreachable("no such host")

    with pytest.raises(errors.Unreachable, match="no such host"):
        Worker("far", nobody, {}).stats()


@pytest.mark.parametrize("refusal", ["wire_mismatch", "internal"])
def test_a_refused_hello_leaves_no_channel_open(machine: Machine, refusal: str) -> None:
    """Each try would leave an agent behind: the reconciler tries every two seconds."""
    machine.answers["hello"] = lambda _: fault(refusal)
    for _ in range(3):
        with pytest.raises(errors.WorkerError):
            machine.worker.stats()
    assert [agent.is_closed for agent in machine.agents] == [True, True, True]


def test_a_call_has_an_end() -> None:
    """When its time has passed the agent is told, and the channel serves on."""
    agent = AgentDouble({"stats": lambda _: SILENCE, "replicas": lambda _: [1]})
    connection = Connection(agent, "far")
    with pytest.raises(errors.CallTimeout, match="did not end `stats` within 0 s"):
        connection.call("stats", {}, timeout=0.0)
    assert connection.call("replicas", {}, timeout=10) == [1]
    assert agent.methods() == ["stats", "cancel", "replicas"]
    assert agent.asked[0].id == agent.asked[1].id != agent.asked[2].id
    connection.close()


def test_a_cancelled_call_ends_as_the_agent_says() -> None:
    """The agent is told once, and its own fault is the end."""
    agent = AgentDouble({"build": lambda _: SILENCE})
    connection = Connection(agent, "far")
    cancelled = threading.Event()
    cancelled.set()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(connection.call, "build", {}, timeout=30, cancelled=cancelled)
        eventually(lambda: "cancel" in agent.methods())
        number = agent.asked[0].id
        agent.say(wire.encode(wire.Failure(number, fault("build_failed", "cancelled").error)))
        with pytest.raises(errors.BuildFailed, match="cancelled"):
            call.result()
    assert agent.methods() == ["build", "cancel"]
    connection.close()


def test_calls_run_side_by_side(machine: Machine) -> None:
    """Each gets its own answer, in whatever order they come."""
    machine.answers |= {
        "replicas": lambda params: [{**REPLICA, "app": params["app"], "instance": params["app"]}],
    }
    names = [f"app-{n}" for n in range(50)]
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda name: machine.worker.replicas(name)[0].instance, names))
    assert found == names
    assert len(machine.agents) == 1


def test_closing_ends_who_waits() -> None:
    """With Unreachable, at once."""
    agent = AgentDouble({"stats": lambda _: SILENCE})
    connection = Connection(agent, "far")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(connection.call, "stats", {}, timeout=30)
        eventually(lambda: agent.methods() == ["stats"])
        connection.close()
        with pytest.raises(errors.Unreachable):
            call.result(5)
    with pytest.raises(errors.Unreachable):
        connection.call("stats", {}, timeout=30)


def test_answers_to_nobody_are_dropped(machine: Machine) -> None:
    """A late result of a call that has ended disturbs no other."""

    def answer(_: Mapping[str, Any]) -> Any:
        machine.agent.say(wire.encode(wire.Result(999, "late")))
        return [{"instance": "mine"}]

    machine.answers["stats"] = answer
    assert machine.worker.stats() == [{"instance": "mine"}]


def test_what_is_too_long_for_the_wire_is_refused(machine: Machine) -> None:
    """Before anything of it is sent: the channel serves on."""
    machine.answers["stats"] = lambda _: []
    with pytest.raises(errors.TooLarge, match="over the wire's"):
        machine.worker.prune("shop", ["x" * wire.MAX_LINE])
    assert machine.worker.stats() == []
    assert len(machine.agents) == 1
