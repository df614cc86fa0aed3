"""One worker's output on its way to ingest: nothing lost, nothing twice, whatever fails when."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flask_kurama.parts import split
from flask_kurama.record import Record, encode
from flask_kurama.uuid7 import uuid7
from server.errors import StreamError
from server.pipeline.collection import Collection
from server.pipeline.forwarder import Forwarder
from server.pipeline.journal import Journal, Place
from server.workers.client import Worker
from tests.unit.clock import Clock
from tests.unit.server.agent_double import AgentDouble
from tests.unit.server.ingest_double import IngestDouble

Chunk = dict[str, Any]


def chunk(cursor: str, at: int, *lines: str, **fields: Any) -> Chunk:
    """Lines of shop's web.1 from byte `at` on; the cursor stands behind them."""
    offsets = [at + 10 * n for n in range(len(lines))]
    default = {
        "instance": "shop-1",
        "app": "shop",
        "release": 2,
        "process": "web",
        "number": 1,
        "lines": list(lines),
        "offsets": offsets,
        "file": "0",
        "cursor": cursor,
        "gap": False,
        "ended": False,
    }
    return default | fields


class Setup:
    """A collector with a worker's agent and an ingest that are doubles.

    Each look at the output is the next of `looks`; after the last, or when `stop_at` is said of
    its state, the collector is told to stop.
    """

    def __init__(self, folder: Path, ingest: IngestDouble) -> None:
        self.folder = folder
        self.ingest = ingest
        self.clock = Clock(1_800_000_000.0)
        self.looks: list[list[Chunk]] = []
        self.step = 1.0
        self.agents: list[AgentDouble] = []
        self.states: list[str] = []
        self.stop_at = ""
        self._stopping = threading.Event()

    def collect(self, *looks: Sequence[Chunk]) -> None:
        """One life of the collector; the journal is what the next one finds."""
        self.looks = [list(look) for look in looks]
        self._stopping = threading.Event()
        worker = Worker("local", self._open, {})
        forwarder = Forwarder("ingest", 5140, "token", self.ingest.connect)
        journal = Journal(self.folder / "journal")
        try:
            Collection(worker, journal, forwarder, self._beat, self.clock).run(self._stopping)
        finally:
            forwarder.close()
            worker.close()

    def asked(self) -> list[Any]:
        """The cursors with which the latest agent was asked, call by call."""
        return [one.params["cursors"] for one in self.agents[-1].asked if one.method == "logs"]

    def place(self) -> Place:
        """Where the journal on disk says that shop's output is safe."""
        return Journal(self.folder / "journal").place("shop-1")

    def messages(self) -> list[str]:
        """What ingest was sent."""
        return [one["message"] for one in self.ingest.records]

    def _open(self) -> AgentDouble:
        self.agents.append(AgentDouble({"logs": self._look, "drop_logs": lambda _: None}))
        return self.agents[-1]

    def _look(self, _: object) -> list[Chunk]:
        self.clock.now += self.step
        if self.looks:
            return self.looks.pop(0)
        self._stopping.set()
        return []

    def _beat(self, state: str, *_: object, **__: object) -> None:
        self.states.append(state)
        if state == self.stop_at:
            self._stopping.set()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """One, with an ingest that takes everything."""
    setup = Setup(tmp_path, IngestDouble())
    yield setup
    for agent in setup.agents:
        agent.close()


def test_lines_become_records_of_their_replica(setup: Setup) -> None:
    """In order, with where they come from; the cursor moves behind them."""
    setup.collect([chunk("c1", 0, "one", "two")], [chunk("c2", 20, "three")])
    assert setup.messages() == ["one", "two", "three"]
    first = setup.ingest.records[0]
    origin = {key: first[key] for key in ("app", "process", "replica", "release", "worker")}
    assert origin == {
        "app": "shop",
        "process": "web",
        "replica": "web.1",
        "release": 2,
        "worker": "local",
    }
    assert setup.place() == Place("c2")
    assert setup.ingest.headers == [{"token": "token", "acks": True}]


def test_the_next_collector_goes_on_from_the_journal(setup: Setup) -> None:
    """It names its cursors once, and then lets the agent go on."""
    setup.collect([chunk("c1", 0, "one")])
    assert setup.asked()[0] == {}
    setup.collect([chunk("c2", 10, "two")])
    assert setup.asked()[:2] == [{"shop-1": "c1"}, None]
    assert setup.messages() == ["one", "two"]


def test_what_ingest_did_not_take_is_sent_again_as_the_same_records(setup: Setup) -> None:
    """After a crash of the collector as well: same times, same UUIDs, whatever the clock says."""
    setup.ingest.breaks = 1
    setup.stop_at = "degraded"
    setup.collect([chunk("c1", 0, "one", "two")])
    assert setup.messages() == []
    assert setup.place().cursor == ""
    setup.stop_at = ""
    begun = setup.clock.now
    setup.clock.now += 3600
    setup.collect([chunk("c1", 0, "one", "two"), chunk("c1", 0, "x", instance="shop-2")])
    one, two, other = setup.ingest.records
    assert (one["message"], two["message"]) == ("one", "two")
    assert one["timestamp"] == two["timestamp"] < other["timestamp"]
    setup.folder.joinpath("journal").unlink()
    setup.clock.now = begun - setup.step
    setup.collect([chunk("c1", 0, "one", "two")])
    assert [r["uuid"] for r in setup.ingest.records[-2:]] == [one["uuid"], two["uuid"]]
    assert setup.place() == Place("c1")


def test_an_ingest_that_is_away_stops_the_cursor(setup: Setup) -> None:
    """Nothing is dropped, and the operator sees it."""
    setup.ingest.is_there = False
    setup.stop_at = "degraded"
    setup.collect([chunk("c1", 0, "one")])
    assert "degraded" in setup.states
    assert setup.place().cursor == ""
    assert setup.place().time_of("0", 0) is not None


def test_a_traceback_holds_the_cursor_back(setup: Setup) -> None:
    """Until it is whole: a crash in its middle would cut it in two."""
    setup.step = 0.1
    begun = ["Traceback (most recent call last):", '  File "a.py", line 1, in f']
    setup.collect([chunk("c1", 0, "before", *begun)])
    assert setup.messages() == ["before"]
    assert setup.place().cursor == ""
    setup.collect([chunk("c2", 0, "before", *begun, "ValueError: no", "after")])
    assert setup.messages()[1:] == ["before", "\n".join([*begun, "ValueError: no"]), "after"]
    assert setup.ingest.records[0]["uuid"] == setup.ingest.records[1]["uuid"]
    assert setup.place() == Place("c2")


def test_a_traceback_that_does_not_go_on_is_whole(setup: Setup) -> None:
    """A third of a second after its last line, without any other line behind it."""
    setup.collect([chunk("c1", 0, "Traceback (most recent call last):", "ValueError: no")], [])
    assert setup.messages() == ["Traceback (most recent call last):\nValueError: no"]
    assert setup.place() == Place("c1")


def test_a_record_in_parts_holds_the_cursor_back(setup: Setup) -> None:
    """Its first parts are read again by the next collector, and it comes out whole."""
    one = Record(
        "2026-01-31T12:00:00.000000Z", "ERROR", *(None, None), "x" * 9000, *(None,) * 4, uuid7(),
        *(None,) * 5,
    )  # fmt: skip
    first, *rest = (part.decode().rstrip("\n") for part in split(encode(one)))
    setup.collect([chunk("c1", 0, first)], [])
    assert setup.messages() == []
    assert setup.place().cursor == ""
    setup.collect([chunk("c2", 0, first, *rest)])
    assert setup.ingest.records[0]["uuid"] == one.uuid
    assert setup.place() == Place("c2")


def test_a_waiting_replica_holds_back_nobody_else(setup: Setup) -> None:
    """Each output has its own place."""
    setup.step = 0.1
    waiting = chunk("a1", 0, "Traceback (most recent call last):")
    setup.collect([waiting, chunk("b1", 0, "hello", instance="shop-2")])
    journal = Journal(setup.folder / "journal")
    assert journal.place("shop-1").cursor == ""
    assert journal.place("shop-2") == Place("b1")


def test_the_output_of_a_replica_that_is_gone_is_dropped_when_it_is_safe(setup: Setup) -> None:
    """On the worker and in the journal; what had begun is sent as it is."""
    last = chunk("c1", 0, "bye", "Traceback (most recent call last):", ended=True)
    setup.collect([last])
    assert setup.messages() == ["bye", "Traceback (most recent call last):"]
    dropped = [one.params for one in setup.agents[-1].asked if one.method == "drop_logs"]
    assert dropped == [{"instances": ["shop-1"]}]
    assert setup.place() == Place("")


def test_output_is_kept_on_the_worker_until_it_is_safe(setup: Setup) -> None:
    """A replica that is gone while ingest is away."""
    setup.ingest.is_there = False
    setup.stop_at = "degraded"
    setup.collect([chunk("c1", 0, "bye", ended=True)])
    assert "drop_logs" not in setup.agents[-1].methods()


def test_a_traceback_over_two_files_keeps_both_times(setup: Setup) -> None:
    """Its output was turned over meanwhile: what lies pending in the first is not forgotten."""
    setup.step = 0.1
    header, frame = "Traceback (most recent call last):", '  File "a.py", line 1, in f'
    setup.collect([chunk("c1", 0, header)], [chunk("c2", 0, frame, file="1")])
    place = setup.place()
    first, second = place.time_of("0", 0), place.time_of("1", 0)
    assert first is not None
    assert second is not None
    assert first < second


def test_an_agent_that_is_away_is_asked_again(setup: Setup) -> None:
    """From the last safe place, over a new channel."""
    setup.collect([chunk("c1", 0, "one")])
    setup.stop_at = "degraded"

    def gone() -> AgentDouble:
        raise StreamError("the worker is away")

    worker = Worker("local", gone, {})
    forwarder = Forwarder("ingest", 5140, "token", setup.ingest.connect)
    stopping = threading.Event()
    states: list[str] = []

    def beat(state: str, *_: object, **__: object) -> None:
        states.append(state)
        stopping.set()

    journal = Journal(setup.folder / "journal")
    Collection(worker, journal, forwarder, beat, setup.clock).run(stopping)
    assert states == ["degraded"]
    assert setup.place() == Place("c1")
