"""The queue behind the outlet: order, bound, and no waiting."""

from collections.abc import Callable

from flask_kurama.outlet import PIPE_BYTES, Gone
from flask_kurama.stream import IDLE_ROUNDS, LINGER_S, Stream


class Sink:
    """An outlet that does what it is told. `on_put` is called within each put."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.fault: Exception | None = None
        self.on_put: Callable[[], None] = lambda: None

    @property
    def lines(self) -> list[bytes]:
        """All that has been written."""
        return b"".join(self.chunks).splitlines()

    def put(self, line: bytes) -> None:
        assert len(line) <= PIPE_BYTES
        self.on_put()
        if self.fault is not None:
            raise self.fault
        self.chunks.append(line)


class Scene:
    """A stream into a sink; its thread is what the test does, and sleep lets time pass."""

    def __init__(self, bound: int = 10) -> None:
        self.sink, self.now, self.threads = Sink(), 0.0, 0
        self.on_sleep: Callable[[], None] = lambda: None
        report = "dropped {}\n".format
        self.stream = Stream(
            self.sink,
            lambda count: report(count).encode(),
            bound,
            lambda: self.now,
            self._sleep,
            self._spawn,
        )

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()

    def _spawn(self, work: Callable[[], None]) -> None:
        self.threads += 1

    def full(self) -> None:
        self.sink.fault = BlockingIOError()

    def drain(self) -> None:
        """There is room again, and the thread comes."""
        self.sink.fault = None
        self.stream.drain()

    def write(self, *lines: str, patient: bool = False) -> None:
        self.stream.write([f"{line}\n".encode() for line in lines], patient)


def test_a_line_is_written_at_once_and_no_thread_is_needed() -> None:
    """The fast path."""
    scene = Scene()
    scene.write("a")
    scene.write("b", "c")
    assert scene.sink.chunks == [b"a\n", b"b\n", b"c\n"]
    assert scene.threads == 0


def test_what_finds_no_room_waits_and_keeps_its_place() -> None:
    """Later lines do not overtake, and parts of a record that did leave are not repeated."""
    scene = Scene()
    scene.full()
    scene.write("a", "b")
    scene.write("c", patient=True)
    assert scene.sink.lines == []
    assert scene.threads == 1
    scene.drain()
    scene.write("d")
    assert scene.sink.lines == [b"a", b"b", b"c", b"d"]


def test_room_that_ends_in_the_middle_of_a_record() -> None:
    """Only the rest waits."""
    scene = Scene()
    puts = iter([None, BlockingIOError(), None])
    scene.sink.on_put = lambda: setattr(scene.sink, "fault", next(puts))
    scene.write("a", "b")
    assert scene.sink.lines == [b"a"]
    scene.stream.drain()
    assert scene.sink.lines == [b"a", b"b"]


def test_a_line_being_written_is_not_overtaken() -> None:
    """While the drain is inside a write another thread's line queues behind it."""
    scene = Scene()
    scene.full()
    scene.write("a")
    scene.sink.fault = None

    def meanwhile() -> None:
        scene.sink.on_put = lambda: None
        scene.write("b")
        assert scene.sink.lines == []

    scene.sink.on_put = meanwhile
    scene.drain()
    assert scene.sink.lines == [b"a", b"b"]


def test_over_the_bound_records_are_dropped_and_counted_and_told() -> None:
    """The whole record, not some of its parts; and later, how many there were."""
    scene = Scene(bound=3)
    scene.full()
    scene.write("a")
    scene.write("b", "c", "d")
    scene.write("e")
    scene.write("f")
    scene.write("g")
    assert scene.stream.dropped == 2
    scene.drain()
    assert scene.sink.lines == [b"a", b"e", b"f", b"dropped 2"]
    assert scene.stream.dropped == 0
    scene.write("h")
    assert scene.sink.lines[-1] == b"h"


def test_the_report_waits_for_room_too() -> None:
    """And counts what was dropped until it could be written."""
    scene = Scene(bound=1)
    scene.full()
    scene.write("a")
    scene.write("b")

    def again() -> None:
        if len(scene.sink.lines) == 1 and scene.stream.dropped == 1:
            scene.write("c", "d")
            scene.full()

    scene.sink.fault = None
    scene.sink.on_put = again
    scene.drain()
    assert scene.sink.lines == [b"a"]
    scene.drain()
    assert scene.sink.lines == [b"a", b"dropped 2"]


def test_patient_lines_that_come_thick_share_a_write() -> None:
    """The first goes at once, the next wait for one another."""
    scene = Scene()
    for name in "abcd":
        scene.write(name, patient=True)
        scene.now += LINGER_S / 10
    assert scene.sink.chunks == [b"a\n"]
    assert scene.threads == 1
    scene.drain()
    assert scene.sink.chunks == [b"a\n", b"b\nc\nd\n"]


def test_patient_lines_that_come_seldom_are_written_at_once() -> None:
    """Nothing to share with."""
    scene = Scene()
    for name in "abc":
        scene.now += LINGER_S * 1.01
        scene.write(name, patient=True)
    assert scene.sink.chunks == [b"a\n", b"b\n", b"c\n"]
    assert scene.threads == 0


def test_an_impatient_line_takes_the_patient_ones_along() -> None:
    """An error is out at once, after what came before it."""
    scene = Scene()
    scene.write("a", patient=True)
    scene.write("b", patient=True)
    scene.write("error")
    assert scene.sink.lines == [b"a", b"b", b"error"]


def test_a_shared_write_is_within_what_a_pipe_takes_whole() -> None:
    """Lines are put together up to PIPE_BUF, and not a byte further."""
    scene = Scene()
    scene.full()
    lengths = [PIPE_BYTES // 2, PIPE_BYTES // 2, 1, PIPE_BYTES, PIPE_BYTES - 1]
    scene.stream.write([b"x" * (length - 1) + b"\n" for length in lengths])
    scene.drain()
    assert [len(chunk) for chunk in scene.sink.chunks] == [
        PIPE_BYTES,
        1,
        PIPE_BYTES,
        PIPE_BYTES - 1,
    ]


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    """Nothing is raised, tried or kept any more."""
    scene = Scene()
    scene.sink.fault = Gone()
    scene.write("a")
    scene.sink.fault = None
    scene.write("b")
    scene.stream.flush(0)
    assert scene.sink.lines == []
    assert scene.stream.dropped == 0


def test_a_reader_that_goes_while_lines_wait() -> None:
    """The drain ends, and so does everything after."""
    scene = Scene()
    scene.full()
    scene.write("a")
    scene.sink.fault = Gone()
    scene.stream.drain()
    scene.sink.fault = None
    scene.write("b")
    assert scene.sink.lines == []


def test_a_line_that_is_lost_counts_as_dropped() -> None:
    """A disk was full for a while; the drain does not spin on it."""
    scene = Scene()
    scene.sink.fault = OSError(28, "no space")
    scene.write("a")
    scene.write("b")
    scene.stream.drain()
    scene.sink.fault = None
    scene.write("c")
    assert scene.sink.lines == [b"c", b"dropped 2"]


def test_a_signal_handler_may_write_in_the_middle_of_a_write() -> None:
    """Wherever the interrupted thread is inside the stream, nothing deadlocks or is lost."""
    scene = Scene()
    scene.full()
    scene.write("a")
    scene.sink.fault = None

    def interrupt() -> None:
        scene.sink.on_put = lambda: None
        scene.write("from the handler")

    scene.sink.on_put = interrupt
    scene.write("b")
    assert scene.sink.lines == [b"a", b"b", b"from the handler"]
    scene.sink.on_put = interrupt
    scene.write("c")
    assert sorted(scene.sink.lines[3:]) == [b"c", b"from the handler"]


def test_a_forked_process_does_not_write_what_its_parent_will() -> None:
    """It begins with nothing waiting, nothing dropped, and a thread of its own."""
    scene = Scene(bound=1)
    scene.full()
    scene.write("parent's")
    scene.write("dropped")
    scene.stream.forget()
    scene.sink.fault = None
    scene.write("child's")
    scene.drain()
    assert scene.sink.lines == [b"child's"]
    scene.full()
    scene.write("x")
    assert scene.threads == 2


def test_at_the_end_what_waits_is_written() -> None:
    """Patient records included, on the thread that ends."""
    scene = Scene()
    scene.write("a", patient=True)
    scene.write("b", patient=True)
    scene.stream.flush()
    assert scene.sink.lines == [b"a", b"b"]


def test_the_end_waits_for_room_a_while() -> None:
    """A reader that is slow gets all, one that does not read cannot keep the process."""
    scene = Scene()
    scene.full()
    scene.write("a")
    scene.stream.flush(1)
    assert scene.sink.lines == []
    assert 1 <= scene.now <= 1.01
    scene.on_sleep = lambda: setattr(scene.sink, "fault", None)
    scene.stream.flush(1)
    assert scene.sink.lines == [b"a"]
    assert scene.now < 1.1


def test_the_thread_drains_until_nothing_has_come_for_a_while() -> None:
    """It tries again when there was no room, and ends by itself; a later line starts another."""
    scene = Scene()
    scene.full()
    scene.write("a")
    rounds = iter(range(10_000))

    def meanwhile() -> None:
        number = next(rounds)
        if number == 3:
            scene.sink.fault = None
        if number == IDLE_ROUNDS:
            scene.write("b", patient=True)
            scene.write("c", patient=True)

    scene.on_sleep = meanwhile
    scene.stream.run()
    assert scene.sink.lines == [b"a", b"b", b"c"]
    assert next(rounds) == 2 * IDLE_ROUNDS + 1
    assert scene.threads == 1
    scene.full()
    scene.write("d")
    assert scene.threads == 2


def test_when_no_thread_can_be_started_the_next_line_tries_again() -> None:
    """At the interpreter's end starting a thread raises."""
    sink, tries = Sink(), []

    def spawn(work: Callable[[], None]) -> None:
        tries.append(work)
        raise RuntimeError("can't start new thread")

    stream = Stream(sink, lambda count: b"", spawn=spawn)
    sink.fault = BlockingIOError()
    stream.write([b"a\n"])
    stream.write([b"b\n"], patient=True)
    sink.fault = None
    stream.flush()
    assert len(tries) == 2
    assert sink.lines == [b"a", b"b"]
