"""Ingest and persistence as programs of their own, with nothing else of the platform around."""

import contextlib
import json
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.credentials import Credentials
from server.store.accounts import Accounts
from server.store.apps import Apps
from server.store.database import Database
from server.store.records import RecordFilter, Records
from tests.conftest import eventually
from tests.engines import Engines, Process
from tests.harness import free_ports

_TIMEOUT_S = 20.0
_GIANT = 3_000_000


class Sender:
    """A connection to ingest."""

    def __init__(self, engines: Engines, *, port: int | None = None, **header: Any) -> None:
        address = ("127.0.0.1", port or engines.settings.ingest.port)
        self.socket = socket.create_connection(address, _TIMEOUT_S)
        self._file = self.socket.makefile("rb")
        if header:
            self.send(json.dumps(header).encode() + b"\n")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def answer(self) -> Any:
        """The next line that ingest says; None at its end."""
        line = self._file.readline()
        return json.loads(line) if line else None

    def deliver(self, *lines: bytes) -> None:
        """Send lines, and wait until all are safe."""
        self.send(b"".join(line + b"\n" for line in lines))
        left = len(lines)
        while left > 0:
            count = self.answer()
            assert isinstance(count, int)
            left -= count

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def url(engines: Engines) -> str:
    """One database for all of these tests: each has an app of its own."""
    return engines.clone()


@pytest.fixture(scope="module")
def database(url: str) -> Iterator[Database]:
    """To look at what was stored."""
    found = Database(url, 2)
    yield found
    found.close()


@pytest.fixture(scope="module")
def ingest(engines: Engines, nats: Process, url: str) -> Iterator[Process]:
    """A running ingest."""
    process = engines.service("ingest", database={"url": url})
    wait_for(engines, "ingest")
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def persistence(engines: Engines, ingest: Process, url: str) -> Iterator[Process]:
    """A running persistence."""
    process = engines.service("persistence", database={"url": url})
    wait_for(engines, "persistence")
    yield process
    assert process.stop() == 0


@pytest.fixture
def app() -> str:
    """A name that no other test uses."""
    return f"app-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def sender(engines: Engines, ingest: Process) -> Iterator[Sender]:
    """What the collector is to ingest."""
    found = Sender(engines, token=Credentials(engines.settings.home).ingest_token, acks=True)
    assert found.answer() == {"ok": True}
    yield found
    found.close()


def wait_for(engines: Engines, name: str) -> dict[str, Any]:
    """A service's heartbeat, once it is well."""
    path = engines.settings.run_dir / "health" / f"{name}.json"

    def beat() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found if found.get("state") == "ok" else None

    return eventually(beat, _TIMEOUT_S, f"{name} is well") or {}


def record(app: str, message: str, **fields: Any) -> bytes:
    """A record's line."""
    now = datetime.now(UTC).isoformat()[:26] + "Z"
    own = {"timestamp": now, "uuid": uuid7(), "level": "INFO", "message": message}
    return json.dumps({**own, "app": app, "process": "web", "replica": "web.1", **fields}).encode()


def uuid7() -> str:
    """A UUID of version 7."""
    digits = uuid.uuid4().hex
    return str(uuid.UUID(f"{digits[:12]}7{digits[13:]}"))


def messages(database: Database, app: str) -> list[str]:
    """What is stored of an app."""
    return [row["message"] for row in Records(database).find(RecordFilter(app), 10_000)]


def stored(database: Database, app: str, count: int) -> list[str]:
    """The messages of an app, once there are so many."""
    eventually(lambda: len(messages(database, app)) >= count, _TIMEOUT_S, f"{count} records")
    return sorted(messages(database, app))


def test_bad_lines_beside_good_ones(
    database: Database, persistence: Process, sender: Sender, app: str
) -> None:
    """Whatever stands between them: the connection holds, and every good record is stored."""
    head = record(app, "X")[:-1]
    bad = [
        b"", b"no json", b"[]", b"{}", b"null", b"\xff\xfe\xfd", b"\0",
        b"{" * 50_000, b"[" * 50_000,
        b'{"timestamp":"x"}', b"9" * 10_000, record(app, "x", level="LOUD"),
        record(app, "x", uuid="1"), head, b"y" * _GIANT,
    ]  # fmt: skip
    lines: list[bytes] = []
    for number, line in enumerate(bad):
        lines += [record(app, f"good {number:02}"), line]
    sender.send(b"\n".join(lines) + b"\n")
    assert stored(database, app, len(bad)) == [f"good {number:02}" for number in range(len(bad))]
    sender.send(record(app, "still open") + b"\n")
    assert "still open" in stored(database, app, len(bad) + 1)


def test_odd_values_in_good_records(
    database: Database, persistence: Process, sender: Sender, app: str
) -> None:
    """Bytes that aren't UTF-8, NUL, surrogates, huge texts: stored, with what can't be replaced."""
    good = record(app, "MESSAGE")
    odd = [
        good.replace(b"MESSAGE", b"1 \xff\xfe"), good.replace(b"MESSAGE", rb"2 \u0000"),
        good.replace(b"MESSAGE", rb"3 \ud83d\udc33"),
        good.replace(b"MESSAGE", b"4 " + b"z" * 300_000),
        record(app, "5", process=None, replica=7, release=True, worker={"x": 1}),
        record(app, "6", replica="r" * 1000, release=12, worker="w" * 1000),
        record(app, "7", release=10**12, status="200", cpu_percent=1000, duration_ms=-1, url=["x"]),
        record(app, "8", replica="nul \0 here", worker="\0"),
    ]  # fmt: skip
    unique = [line.replace(json.loads(good)["uuid"].encode(), uuid7().encode()) for line in odd]
    sender.deliver(*unique)
    found = stored(database, app, len(odd))
    assert [message[0] for message in found] == list("12345678")
    assert found[0] == "1 \ufffd\ufffd"
    assert found[1] == "2 \ufffd"
    assert found[2] == "3 🐳"
    assert "[cut: " in found[3]


def test_an_answer_means_that_it_is_safe(
    database: Database, persistence: Process, sender: Sender, app: str
) -> None:
    """Delivered twice, in other pieces, a record is stored once."""
    lines = [record(app, f"{number:03}") for number in range(200)]
    sender.deliver(*lines)
    data = b"".join(line + b"\n" for line in lines[100:])
    for start in range(0, len(data), 1000):
        sender.send(data[start : start + 1000])
    answered = 0
    while answered < 100:
        answered += sender.answer()
    assert stored(database, app, 200) == [f"{number:03}" for number in range(200)]
    sender.deliver(record(app, "999"))
    assert len(stored(database, app, 201)) == 201


def test_a_users_own_records(
    engines: Engines, database: Database, persistence: Process, app: str
) -> None:
    """With a user's token all records are that app's; text and tracebacks become records."""
    accounts = Accounts(database)
    ann = accounts.create(f"{app}@example.com", "correct horse")
    Apps(database).create(app, ann)
    _, text = accounts.issue_token(ann, "sender", timedelta(hours=1))
    sender = Sender(engines, token=text, app=app, acks=True, process="import.1", replica="r")
    assert sender.answer() == {"ok": True}
    trace = [b"Traceback (most recent call last):", b'  File "x.py", line 1', b"ValueError: no"]
    sender.deliver(record("others", "forged", release=9, worker="w"), b"plain \xff text", *trace)
    sender.close()
    found = stored(database, app, 3)
    assert found == ["\n".join(line.decode() for line in trace), "forged", "plain \ufffd text"]
    rows = Records(database).find(RecordFilter(app), 10)
    assert {(row["process"], row["replica"], row["release"]) for row in rows} == {
        ("import_1", "r", None)
    }
    assert messages(database, "others") == []
    other = Sender(engines, token=text, app="others")
    assert "no app others" in other.answer()["error"]
    assert other.answer() is None
    other.close()


@pytest.mark.parametrize(
    "header",
    [
        b"", b"\n", b"hello\n", b"[]\n", b"{}\n", b'{"token":7}\n', b'{"token":"wrong"}\n',
        b'{"token":"wrong","app":"shop"}\n', b'{"token":"x","app":["shop"]}\n', b"\xff\n",
        b'{"token":"x","app":"../x"}\n', b'{"token":"\\u0000","app":"x"}\n', b"x" * 2_000_000,
    ],
    ids=lambda header: repr(header[:24]),
)  # fmt: skip
def test_who_is_not_let_in(engines: Engines, ingest: Process, header: bytes) -> None:
    """A first line that is none, or a token that isn't one: an error, and the connection's end."""
    sender = Sender(engines)
    with contextlib.suppress(ConnectionError):
        sender.send(header)
        with contextlib.suppress(OSError):
            sender.socket.shutdown(socket.SHUT_WR)
        answer = sender.answer()
        assert answer is None or answer["error"]
        assert sender.answer() is None
    sender.close()


def test_too_many_connections(engines: Engines, ingest: Process) -> None:
    """Over ingest.max_connections one is told so and closed; when another goes there is room."""
    token = Credentials(engines.settings.home).ingest_token
    senders: list[Sender] = []
    refused: Any = None
    try:
        while refused is None and len(senders) < 30:
            senders.append(Sender(engines, token=token))
            answer = senders[-1].answer()
            refused = answer if "error" in answer else None
        assert len(senders) == engines.settings.ingest.max_connections + 1
        assert "connections" in refused["error"]
    finally:
        for sender in senders:
            sender.close()

    def lets_in() -> bool:
        again = Sender(engines, token=token)
        try:
            return bool(again.answer() == {"ok": True})
        finally:
            again.close()

    eventually(lets_in)


def test_the_bus_is_away(
    engines: Engines, nats: Process, database: Database, persistence: Process, sender: Sender,
    app: str,
) -> None:  # fmt: skip
    """The sender waits, however long; then all of it is stored, and nothing twice."""
    sender.deliver(record(app, "before"))
    nats.kill()
    sender.send(record(app, "during") + b"\n")
    sender.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        sender.socket.recv(1)
    nats.start()
    sender.socket.settimeout(_TIMEOUT_S)
    assert sender.socket.recv(10) == b"1\n"
    assert stored(database, app, 2) == ["before", "during"]
    wait_for(engines, "ingest")


def test_sigterm(engines: Engines, nats: Process, database: Database, url: str, app: str) -> None:
    """Both end in time with status 0, a sender still connected; what was answered is kept."""
    [port] = free_ports(1)
    ingest = engines.service("ingest", database={"url": url}, ingest={"port": port})
    token = Credentials(engines.settings.home).ingest_token

    def open_sender() -> Sender | None:
        with contextlib.suppress(OSError):
            return Sender(engines, port=port, token=token, acks=True)
        return None

    sender = eventually(open_sender, _TIMEOUT_S)
    assert sender is not None
    assert sender.answer() == {"ok": True}
    sender.deliver(*(record(app, f"{number:03}") for number in range(100)))
    begun = time.monotonic()
    assert ingest.stop(signal.SIGTERM) == 0, ingest.said
    assert time.monotonic() - begun < 5
    assert sender.answer() is None
    sender.close()
    assert len(stored(database, app, 100)) == 100
    second = engines.service("persistence", database={"url": url})
    eventually(lambda: second.is_running and "pid" in wait_for(engines, "persistence"))
    begun = time.monotonic()
    assert second.stop(signal.SIGTERM) in (0, -signal.SIGTERM), second.said
    assert time.monotonic() - begun < 5
    for process in (ingest, second):
        assert "Traceback" not in process.said


@pytest.mark.parametrize("name", ["ingest", "persistence"])
def test_sigterm_while_it_waits_for_an_engine(engines: Engines, url: str, name: str) -> None:
    """A service that waits for a bus that isn't there ends all the same."""
    bus, port = free_ports(2)
    away = {"url": f"nats://127.0.0.1:{bus}"}
    process = engines.service(name, database={"url": url}, bus=away, ingest={"port": port})
    eventually(lambda: _handles_sigterm(process), _TIMEOUT_S)
    begun = time.monotonic()
    process.stop(signal.SIGTERM)
    assert time.monotonic() - begun < 5
    assert "Traceback" not in process.said


def test_a_port_that_is_taken(engines: Engines, ingest: Process, url: str) -> None:
    """A second ingest on the port of the first ends, and says which."""
    second = engines.service("ingest", database={"url": url})
    eventually(lambda: not second.is_running, _TIMEOUT_S)
    assert "Traceback" not in second.said
    assert str(engines.settings.ingest.port) in second.said
    assert ingest.is_running


def _handles_sigterm(process: Process) -> bool:
    """Whether the service has come so far that it takes the signal itself."""
    caught = process.status.get("SigCgt", "0")
    return bool(int(caught, 16) & (1 << (signal.SIGTERM - 1)))
