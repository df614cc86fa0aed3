"""From an event to a line: what is added, and where it goes."""

import json
from typing import Any

from flask_kurama.emitter import Emitter
from flask_kurama.inbound import Inbound
from flask_kurama.parts import LINE, Joiner
from flask_kurama.record import FIELDS, decode

# 2026-11-23T13:12:00Z
START_NS = 1_795_439_520 * 10**9


class Sink:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.broken = False

    def put(self, line: bytes) -> None:
        if self.broken:
            raise OSError
        self.lines.append(line)


class Samples:
    """Load that does not change; counts its starts."""

    load = '"cpu_percent":1.5,"disk_percent":2,"swap_percent":null,"memory_percent":4'

    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("start")

    def forget(self) -> None:
        self.events.append("forget")


class Scene:
    """An emitter between made-up neighbours."""

    def __init__(self) -> None:
        self.sink, self.samples, self.now_ns = Sink(), Samples(), START_NS
        self.emitter = Emitter(self.sink, self.samples, lambda: self.now_ns, self._clock)

    def _clock(self) -> float:
        # A second is always over, so that patient records need not wait.
        self.now_ns += 10**9
        return self.now_ns / 1e9

    def record(self) -> dict[str, Any]:
        """The last record."""
        found = json.loads(self.sink.lines[-1])
        assert tuple(found) == FIELDS
        assert decode(self.sink.lines[-1])
        return dict(found)


def inbound() -> Inbound:
    """A request, queued since long ago."""
    return Inbound(
        {
            "REQUEST_METHOD": "GET",
            "RAW_URI": "/items/3",
            "HTTP_HOST": "shop.example",
            "wsgi.url_scheme": "http",
            "HTTP_X_REQUEST_ID": "rid",
        }
    )


def test_outside_a_request_what_belongs_to_one_is_null() -> None:
    """And all keys are there."""
    scene = Scene()
    scene.now_ns = START_NS + 123_456_789
    scene.emitter.emit("WARNING", "disk is slow")
    record = scene.record()
    uuid = record.pop("uuid")
    assert record == {
        "timestamp": "2026-11-23T13:12:00.123456Z",
        "level": "WARNING",
        "url": None,
        "status": None,
        "message": "disk is slow",
        "cpu_percent": 1.5,
        "disk_percent": 2,
        "swap_percent": None,
        "memory_percent": 4,
        "method": None,
        "route": None,
        "duration_ms": None,
        "queue_ms": None,
        "request_id": None,
    }
    assert int(uuid.replace("-", "")[:12], 16) == (START_NS + 123_456_789) // 10**6


def test_within_a_request_it_is_said_which() -> None:
    """The queue's time only beside the duration, so that it counts once."""
    scene, request = Scene(), inbound()
    request.queue_ms = "3.5"
    scene.emitter.emit("INFO", "hello", request, route='"/items/<int:id>"')
    record = scene.record()
    assert (record["url"], record["method"]) == ("http://shop.example/items/3", "GET")
    assert (record["route"], record["request_id"]) == ("/items/<int:id>", "rid")
    assert (record["duration_ms"], record["queue_ms"]) == (None, None)
    scene.emitter.emit("INFO", "GET", request, "200", duration_ms="1.250")
    record = scene.record()
    assert (record["status"], record["duration_ms"], record["queue_ms"]) == (200, 1.25, 3.5)


def test_seconds_change() -> None:
    """The text of a second is kept, and no longer than the second."""
    scene = Scene()
    for offset, shown in [
        (0, "13:12:00.000000"),
        (999_999_999, "13:12:00.999999"),
        (10**9, "13:12:01.000000"),
        (0, "13:12:00.000000"),
        (-(10**9), "13:11:59.000000"),
    ]:
        scene.emitter.emit("INFO", "", at_ns=START_NS + offset)
        assert scene.record()["timestamp"] == f"2026-11-23T{shown}Z"


def test_sampling_begins_with_the_first_record_and_again_after_a_fork() -> None:
    """An interpreter that logs nothing has no threads of ours."""
    scene = Scene()
    assert scene.samples.events == []
    scene.emitter.emit("INFO", "one")
    scene.emitter.emit("INFO", "two")
    assert scene.samples.events == ["start"]
    scene.emitter.forget()
    scene.emitter.emit("INFO", "child's")
    assert scene.samples.events == ["start", "forget", "start"]


def test_a_long_record_leaves_in_parts() -> None:
    """Each short enough to stay whole in a pipe."""
    scene = Scene()
    scene.emitter.emit("INFO", "é" * 20_000)
    assert len(scene.sink.lines) > 1
    assert max(map(len, scene.sink.lines)) <= LINE
    joiner = Joiner(lambda: 0.0)
    whole = [line for part in scene.sink.lines if (line := joiner.join(part))]
    assert len(whole) == 1
    found = decode(whole[0])
    assert found
    assert found.message == "é" * 20_000


def test_a_patient_record_may_wait_and_an_impatient_one_takes_it_along() -> None:
    """Records of one moment."""
    sink = Sink()
    emitter = Emitter(sink, Samples(), clock=lambda: 1.0)
    for message in ("one", "two"):
        emitter.emit("INFO", message, patient=True)
    assert len(sink.lines) == 1
    emitter.emit("ERROR", "three")
    assert b"".join(sink.lines).count(b"\n") == 3


def test_dropped_records_are_told_in_a_record() -> None:
    """A WARNING with their number."""
    scene = Scene()
    scene.sink.broken = True
    for _ in range(3):
        scene.emitter.emit("INFO", "x")
    scene.sink.broken = False
    scene.emitter.flush()
    record = scene.record()
    assert record["level"] == "WARNING"
    assert record["message"] == "3 records were dropped: stdout was not read"
