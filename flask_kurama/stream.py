"""Lines on their way out: at once where the outlet takes them, else through a bounded queue.

The application must never wait for whoever reads its output. What a line says is not known here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from flask_kurama.outlet import PIPE_BYTES, Gone

# Two megabytes of usual records, 16 of the longest.
BOUND = 4096
# To wake a reader takes the writer longer than to write: 13 to 25 µs where 1 µs was measured for a
# write that wakes nobody. Records that follow one another faster than this share a write.
LINGER_S = 0.005
_WAIT_S = 1.0
_FLUSH_S = 1.0
_FLUSH_STEP_S = 0.005


class Sink(Protocol):
    """What outlet.Outlet does."""

    def put(self, line: bytes) -> None: ...
    def wait(self, seconds: float) -> None: ...


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="kurama-stream", daemon=True).start()


class Stream:
    """Takes lines from any thread, and from signal handlers; never waits, never raises.

    `report` gives the line that tells how many records were dropped; it is written as soon as
    there is room again. `spawn` runs what drains the queue beside the application.
    """

    def __init__(
        self,
        outlet: Sink,
        report: Callable[[int], bytes],
        bound: int = BOUND,
        clock: Callable[[], float] = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] = _in_thread,
    ) -> None:
        self._outlet = outlet
        self._report = report
        self._bound = bound
        self._clock = clock
        self._spawn = spawn
        self.forget()

    def forget(self) -> None:
        """Begin anew. In a forked process: what waits is the parent's to write."""
        self.dropped = 0
        self._gone = False
        self._last = 0.0
        self._waiting: deque[bytes] = deque()
        # A signal handler may find its own thread inside any of these: the first lets it in
        # again, the second is asked without waiting, and the bell, for that, is no Condition.
        self._lock = threading.RLock()
        self._drains = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._spawned = False

    def write(self, lines: Sequence[bytes], patient: bool = False) -> None:
        """Write the lines of one record, each of at most PIPE_BUF bytes, after those that wait.

        Patient ones may wait for LINGER_S, so that those which come thick share a write.
        """
        if self._gone:
            return
        if self._waiting or self.dropped:
            self._enqueue(lines)
            if not patient:
                self._hurry()
            return
        now = self._clock()
        if patient and now - self._last < LINGER_S:
            self._enqueue(lines)
            return
        self._last = now
        self._write_now(lines)

    def flush(self, seconds: float = _FLUSH_S) -> None:
        """Give what waits the time to leave, at most `seconds`: for the interpreter's end."""
        until = time.monotonic() + seconds
        self._hurry()
        while self._has_more() and time.monotonic() < until:
            time.sleep(_FLUSH_STEP_S)
            self._hurry()

    def drain(self) -> None:
        """Write what waits, waiting for room; then tell what was dropped."""
        while self._has_more() and self._drain_or_wait():
            pass

    def _write_now(self, lines: Sequence[bytes]) -> None:
        done = 0
        try:
            for line in lines:
                self._outlet.put(line)
                done += 1
        except BlockingIOError:
            self._enqueue(lines[done:])
        except Gone:
            self._gone = True
        except OSError:
            self._drop(1)

    def _has_more(self) -> bool:
        return not self._gone and bool(self._waiting or self.dropped)

    def _enqueue(self, lines: Sequence[bytes]) -> None:
        # No lock: the bound may be passed by as many records as there are threads.
        if len(self._waiting) + len(lines) > self._bound:
            self._drop(1)
        else:
            self._waiting.extend(lines)
        if not self._spawned:
            self._start()
        # One stroke is enough: whoever hears it looks at all that waits.
        if self._bell.empty():
            self._bell.put(None)

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count

    def _start(self) -> None:
        with self._lock:
            if not self._spawned:
                # There may be no more threads, as when the interpreter ends: the next line tries.
                with contextlib.suppress(RuntimeError):
                    self._spawn(self._run)
                    self._spawned = True

    def _run(self) -> None:
        while not self._gone:
            self._bell.get()
            time.sleep(LINGER_S)
            self.drain()

    def _drain_or_wait(self) -> bool:
        """Whether it is worth while to go on at once."""
        try:
            with self._drains:
                while self._has_more():
                    self._step()
        except BlockingIOError:
            self._outlet.wait(_WAIT_S)
        except OSError:
            # A full disk, say: on with the rest when the next line comes.
            return False
        return True

    def _hurry(self) -> None:
        """Write what waits, as far as there is room for it now."""
        if not self._drains.acquire(blocking=False):
            # Somebody is at it.
            return
        try:
            with contextlib.suppress(OSError):
                while self._has_more():
                    self._step()
        finally:
            self._drains.release()

    def _step(self) -> None:
        """Write as many lines as one write takes, or pass on why not; lost ones are dropped."""
        dropped, count = 0, 0
        if self._waiting:
            chunk, count = self._chunk()
        else:
            dropped = self.dropped
            chunk = self._report(dropped)
        try:
            self._outlet.put(chunk)
        except BlockingIOError:
            raise
        except Gone:
            self._gone = True
            return
        except OSError:
            self._remove(count)
            self._drop(count)
            raise
        # Only now: a line that is being written must still count as waiting, or another could
        # overtake it.
        self._remove(count)
        self._drop(-dropped)

    def _chunk(self) -> tuple[bytes, int]:
        """The first waiting lines that are within PIPE_BUF together, and how many they are."""
        waiting = self._waiting
        chunk, count = waiting[0], 1
        while count < len(waiting) and len(chunk) + len(waiting[count]) <= PIPE_BYTES:
            chunk += waiting[count]
            count += 1
        return chunk, count

    def _remove(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
