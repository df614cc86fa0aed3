"""The wire from both ends: the control plane's client and the agent's real process on a pipe."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent import wire
from server import errors
from server.workers.client import Worker
from server.workers.connection import Connection
from tests.conftest import eventually
from tests.contract.agents import LIMITS, Pipes, Site

_SLEEP = ["sleep", "303.25"]
_HELLO = {"version": wire.VERSION, "options": {}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A home with an image; its agents are gone afterwards."""
    found = Site(tmp_path_factory.mktemp("wire") / "h")
    found.build()
    yield found
    for client in found.clients:
        client.close()
    assert found.agents == []


@pytest.fixture(scope="module")
def worker(site: Site) -> Worker:
    """A client that its tests leave connected."""
    return site.client()


@pytest.fixture
def connection(site: Site) -> Iterator[Connection]:
    """An open channel on which nothing has been said."""
    opened = Connection(site.channel(), "local")
    yield opened
    opened.close()


def run(site: Site, worker: Worker, command: str, **environment: str) -> tuple[int, list[str]]:
    """A one-off: its status and its output."""
    said: list[str] = []
    status = worker.run(
        image=site.image,
        app="tiny",
        command=command,
        environment=environment,
        limits=LIMITS,
        output=said.append,
    )
    return status, said


def test_hello_says_what_the_worker_can_do(worker: Worker) -> None:
    """Runtime, isolation, size, Pythons: typed values that doctor and status show."""
    found = worker.describe()
    assert found["version"] == wire.VERSION
    assert found["runtime"] == "sandbox"
    assert found["isolation"] in ("bubblewrap", "none")
    assert found["cpus"] >= 1
    assert found["memory"] > 100_000_000
    assert found["pythons"]
    assert isinstance(found["warnings"], list)


def test_another_version(connection: Connection) -> None:
    """An agent of another version refuses, in words that say what to do."""
    with pytest.raises(errors.WireMismatch, match="speaks version 1, not 99") as caught:
        connection.call("hello", {"version": 99}, timeout=20)
    assert "same version" in caught.value.hint


def test_a_mismatch_leaves_no_agent_behind(site: Site) -> None:
    """Each attempt starts an agent, which ends with it: they don't pile up."""
    stranger = site.client(unheard_of=1)
    before = len(site.agents)
    for _ in range(3):
        with pytest.raises(errors.WireMismatch, match="unheard_of"):
            stranger.describe()
    eventually(lambda: len(site.agents) == before)


def test_nothing_goes_before_hello(connection: Connection) -> None:
    """An agent that was told nothing yet refuses to act."""
    with pytest.raises(errors.AgentFault, match="hello") as caught:
        connection.call("replicas", {}, timeout=20)
    assert caught.value.fault == "bad_request"


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("preflight", {"app": "tiny", "context": "/nowhere"}, errors.AgentFault),
        ("preflight", {"app": "x", "context": "EMPTY", "environment": {}}, errors.PreflightFailed),
        ("build", {"app": "x", "context": "EMPTY", "environment": {}}, errors.PreflightFailed),
        ("stop", {"instances": [], "wait": True, "more": 1}, None),
        ("fly", {}, errors.AgentFault),
        ("_runtime", {}, errors.AgentFault),
        ("logs", {"cursors": None, "wait_s": 0, "most": 1}, errors.AgentFault),
    ],
)
def test_faults_become_error_classes(
    connection: Connection,
    tmp_path: Path,
    method: str,
    params: dict[str, Any],
    error: type[Exception] | None,
) -> None:
    """By their codes; what the agent didn't expect is a fault too, and the channel goes on."""
    connection.call("hello", _HELLO, timeout=20)
    given = {key: str(tmp_path) if value == "EMPTY" else value for key, value in params.items()}
    if error is None:
        assert connection.call(method, given, timeout=20) is None
    else:
        with pytest.raises(error):
            connection.call(method, given, timeout=20)
    assert connection.call("replicas", {}, timeout=20) == []


def test_faults_of_builds_and_commands(site: Site, worker: Worker, tmp_path: Path) -> None:
    """An unknown image, a command over its time, a disk with too little room."""
    with pytest.raises(errors.NotFound, match="0123"):
        worker.start(
            app="tiny", release=1, process="web", image="0123", count=1, first=1,
            limits=LIMITS, environment={}, grace_s=1,
        )  # fmt: skip
    with pytest.raises(errors.ReleaseCommandFailed, match="took longer than 1 s"):
        run(site, site.client(run_timeout=1.0), "sleep 20")
    (tmp_path / "app.py").write_text("")
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "Procfile").write_text("web: true")
    with pytest.raises(errors.BuildFailed, match="disk has"):
        site.client(min_free_disk=10**18).build("tiny", tmp_path, {}, print)


def test_a_deadline(site: Site, connection: Connection) -> None:
    """CallTimeout in time; the agent ends what it was doing; the channel goes on."""
    connection.call("hello", _HELLO, timeout=20)
    begun = time.monotonic()
    params = {"image": site.image, "app": "tiny", "command": " ".join(_SLEEP), "environment": {}}
    limits = {"memory": LIMITS.memory, "cpus": LIMITS.cpus}
    with pytest.raises(errors.CallTimeout):
        connection.call("run", {**params, "limits": limits}, timeout=1.0)
    assert time.monotonic() - begun < 5
    eventually(lambda: _sleepers() == [])
    assert connection.call("replicas", {}, timeout=20) == []


def test_a_call_is_cancelled(site: Site, worker: Worker) -> None:
    """The caller gets the agent's own words for it, and nothing is left running."""
    cancelled, said = threading.Event(), list[str]()

    def output(line: str) -> None:
        said.append(line)
        cancelled.set()

    with pytest.raises(errors.ReleaseCommandFailed, match="cancelled"):
        worker.run(
            image=site.image, app="tiny", command=f"echo up; {' '.join(_SLEEP)}", environment={},
            limits=LIMITS, output=output, cancelled=cancelled,
        )  # fmt: skip
    assert said[0] == "up"
    eventually(lambda: _sleepers() == [])


def test_an_agent_is_killed_in_mid_call(site: Site) -> None:
    """Unreachable at once for every call that waits; the next call starts a new agent."""
    client = site.client()
    known = {process.pid for process in site.agents}
    client.describe()
    [agent] = [process for process in site.agents if process.pid not in known]
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(run, site, client, f"{' '.join(_SLEEP)}") for _ in range(2)]
        eventually(lambda: len(_sleepers()) == 2)
        agent.kill()
        for call in calls:
            with pytest.raises(errors.Unreachable, match="local") as caught:
                call.result(timeout=10)
            assert str(site.log) in caught.value.hint
    assert run(site, client, "echo again") == (0, ["again"])
    if client.describe()["isolation"] == "bubblewrap":
        eventually(lambda: _sleepers() == [], what="one-offs end with their agent")
    for process in _sleepers():
        process.kill()


def test_an_agent_that_cannot_start(site: Site, tmp_path: Path) -> None:
    """A home that can't be made is Unreachable, with where to look, and nothing hangs."""
    (tmp_path / "file").write_text("")
    site_of_file = Site(tmp_path / "file" / "h")
    site_of_file.home = tmp_path / "file"
    with pytest.raises(errors.WorkerError):
        site_of_file.client().describe()
    eventually(lambda: site_of_file.agents == [])


def test_the_client_closes(site: Site) -> None:
    """The agent ends when nobody is there any more, and ends what it was doing."""
    client = site.client()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run, site, client, " ".join(_SLEEP))
        eventually(lambda: len(_sleepers()) == 1)
        client.close()
        with pytest.raises(errors.Unreachable):
            call.result(timeout=10)
    eventually(lambda: _sleepers() == [])


def test_bytes_that_are_not_utf8(site: Site, worker: Worker) -> None:
    """They arrive as replacement characters; NUL and all planes of Unicode as they are."""
    command = r"printf 'a\377\376b\n\0c\n\360\237\220\263\n\355\240\200\n'"
    assert run(site, worker, command) == (0, ["a\ufffd\ufffdb", "\0c", "🐳", "\ufffd" * 3])


def test_odd_values_in_the_environment(site: Site, worker: Worker) -> None:
    """Quotes, newlines, other planes, an empty value: nothing is a shell's or the wire's."""
    odd = "'\"$(false)`\\\n\t🐳"
    status, said = run(site, worker, 'printf "%s\\n" "$ODD" "[$EMPTY]"', ODD=odd, EMPTY="")
    assert status == 0
    assert "\n".join(said) == f"{odd}\n[]"


def test_what_is_printed_is_no_message(site: Site, worker: Worker) -> None:
    """Lines that look like the wire's own are output like any other."""
    forged = [f'{{"id":{n},"result":"forged"}}' for n in range(50)]
    status, said = run(site, worker, "cat <<'X'\n" + "\n".join(forged) + "\nX")
    assert (status, said) == (0, forged)
    assert worker.replicas() == []


def test_nothing_can_print_on_the_wire(site: Site, worker: Worker) -> None:
    """The agent's fd 1 is its log, and no child has the wire among its descriptors."""
    worker.describe()
    for agent in site.agents:
        fds = Path("/proc", str(agent.pid), "fd")
        assert (fds / "1").readlink() == (fds / "2").readlink() == site.log
    status, said = run(site, worker, "ls /proc/self/fd")
    assert status == 0
    assert set(said) <= {"0", "1", "2", "3"}


def test_many_calls_at_once(site: Site, worker: Worker) -> None:
    """Each gets its own output and its own status, in its own order."""
    with ThreadPoolExecutor(24) as pool:
        command = "for i in 1 2 3 4 5; do echo {n}.$i; done; exit {n}"
        calls = [pool.submit(run, site, worker, command.format(n=n)) for n in range(24)]
        quick = [pool.submit(worker.replicas) for _ in range(50)]
        for number, call in enumerate(calls):
            assert call.result(60) == (number, [f"{number}.{i}" for i in range(1, 6)])
        assert all(call.result(60) == [] for call in quick)


def test_one_call_too_many() -> None:
    """The bound refuses; it doesn't queue, and those that run are none the worse."""
    release = threading.Event()
    connection = Connection(Pipes({"wait": lambda *_: release.wait(20)}), "test")
    with ThreadPoolExecutor(65) as pool:
        calls = [pool.submit(connection.call, "wait", {}, timeout=20) for _ in range(65)]

        def refused() -> list[BaseException]:
            return [error for call in calls if call.done() and (error := call.exception())]

        [error] = eventually(refused)
        assert isinstance(error, errors.AgentFault)
        assert error.fault == "bad_request"
        release.set()
        assert sum(call.exception(20) is None for call in calls) == 64
    connection.close()


def test_an_oversized_request(worker: Worker) -> None:
    """It is refused here, and the agent never hears of it."""
    with pytest.raises(errors.TooLarge, match="over the wire's"):
        worker.preflight("tiny", Path("/nowhere"), {"BIG": "x" * wire.MAX_LINE})
    assert worker.replicas() == []


def test_an_oversized_result() -> None:
    """The caller gets a fault instead of waiting for what can't be sent; the channel goes on."""
    methods = {"big": lambda *_: "x" * wire.MAX_LINE, "small": lambda *_: "ok"}
    connection = Connection(Pipes(methods), "test")
    with pytest.raises(errors.AgentFault, match="over the wire's"):
        connection.call("big", {}, timeout=20)
    assert connection.call("small", {}, timeout=20) == "ok"
    connection.close()


@pytest.mark.parametrize("line", [b"not json\n", b"[]\n", b'{"id":"x","result":1}\n', b"[" * 9999])
def test_what_is_no_message_ends_the_channel(line: bytes, site: Site) -> None:
    """An agent that is told nonsense ends, and the client says Unreachable instead of hanging."""
    channel = site.channel()
    connection = Connection(channel, "local")
    channel.requests.write(line + b"\n")
    channel.requests.flush()
    eventually(lambda: not connection.alive)
    with pytest.raises(errors.Unreachable):
        connection.call("replicas", {}, timeout=5)
    connection.close()


def _sleepers() -> list[psutil.Process]:
    """The commands that tests began and are to be ended."""
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == _SLEEP]
