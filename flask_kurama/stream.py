"""Lines on their way out: at once where the outlet takes them, else through a bounded queue.

The application must never wait for whoever reads its output. What a line says is not known here.

Nothing here waits on a lock or a queue: under gevent, where threads become greenlets of one thread,
whatever was made before its patches would stop them all. What has to wait sleeps.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from flask_kurama.outlet import PIPE_BYTES, Gone

# Two megabytes of usual records, 16 of the longest.
BOUND = 4096
# To wake a reader takes the writer longer than to write: 13 to 25 µs where 1 µs was measured for a
# write that wakes nobody. Records that follow one another faster than this share a write.
LINGER_S = 0.01
# After as many rounds without a line the thread ends: one second.
IDLE_ROUNDS = 100
_FLUSH_S = 1.0


class Sink(Protocol):
    """What outlet.Outlet does."""

    def put(self, line: bytes) -> None: ...


def _sleep(seconds: float) -> None:
    """time.sleep as it is then: gevent may have put another in its place."""
    time.sleep(seconds)


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
        sleep: Callable[[float], None] = _sleep,
        spawn: Callable[[Callable[[], None]], None] = _in_thread,
    ) -> None:
        self._outlet = outlet
        self._report = report
        self._bound = bound
        self._clock = clock
        self._sleep = sleep
        self._spawn = spawn
        self.forget()

    def forget(self) -> None:
        """Begin anew. In a forked process: what waits is the parent's to write."""
        self.dropped = 0
        self._gone = False
        self._last = -LINGER_S
        self._waiting: deque[bytes] = deque()
        # A signal handler may find its own thread inside either: the first lets it in again and
        # is held for moments only, the second is asked without waiting.
        self._lock = threading.RLock()
        self._drains = threading.Lock()
        self._running = False

    def write(self, lines: Sequence[bytes], patient: bool = False) -> None:
        """Write the lines of one record, each of at most PIPE_BUF bytes, after those that wait.

        Patient ones may wait for LINGER_S, so that those which come thick share a write.
        """
        if self._gone:
            return
        if self._waiting or self.dropped:
            self._enqueue(lines)
            if not patient:
                self.drain()
            return
        now = self._clock()
        if patient and now - self._last < LINGER_S:
            self._enqueue(lines)
            return
        self._last = now
        self._write_now(lines)

    def flush(self, seconds: float = _FLUSH_S) -> None:
        """Give what waits the time to leave, at most `seconds`: for the interpreter's end."""
        until = self._clock() + seconds
        self.drain()
        while self._has_more() and self._clock() < until:
            self._sleep(LINGER_S)
            self.drain()

    def drain(self) -> None:
        """Write what waits, as far as there is room for it now; then tell what was dropped."""
        if not self._drains.acquire(blocking=False):
            # Somebody is at it.
            return
        try:
            # No room; or a line is lost, on a full disk, say: on with the rest another time.
            with contextlib.suppress(OSError):
                while self._has_more():
                    self._step()
        finally:
            self._drains.release()

    def run(self) -> None:
        """Drain again and again, until nothing has come for a while."""
        idle = 0
        while idle < IDLE_ROUNDS or not self._stopped():
            self._sleep(LINGER_S)
            idle = 0 if self._has_more() else idle + 1
            self.drain()

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
        with self._lock:
            if len(self._waiting) + len(lines) > self._bound:
                self.dropped += 1
            else:
                self._waiting.extend(lines)
            if not self._running:
                # Before, for a signal handler that comes in between.
                self._running = True
                try:
                    self._spawn(self.run)
                except RuntimeError:
                    # No more threads, as when the interpreter ends: the next line tries.
                    self._running = False

    def _stopped(self) -> bool:
        """Whether there is nothing to run for; from then on the next line starts a thread."""
        with self._lock:
            self._running = self._has_more()
            return not self._running

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count

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
