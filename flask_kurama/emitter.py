"""Makes a record's line of what has happened, and hands it to the stream.

Time, load and uuid are added here. Where the events come from is the matter of exchange.py
(requests) and console.py (logging).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Protocol

from flask_kurama.inbound import NULL, Inbound
from flask_kurama.parts import LINE, split
from flask_kurama.record import clip, render
from flask_kurama.stream import Sink, Stream
from flask_kurama.uuid7 import uuid7_at

_NS_PER_S = 1_000_000_000


class Samples(Protocol):
    """What sampler.Sampler does."""

    load: str

    def start(self) -> None: ...
    def forget(self) -> None: ...


class Emitter:
    """The way from an event to a line on stdout, one for a process."""

    def __init__(
        self,
        outlet: Sink,
        sampler: Samples,
        wall_ns: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = Stream(outlet, self._dropped, clock=clock)
        self._sampler = sampler
        self._wall_ns = wall_ns
        self._unstarted = threading.Lock()
        self._second = (-1, "")

    def forget(self) -> None:
        """In a forked process: begin anew, with threads of its own."""
        self._unstarted = threading.Lock()
        self._stream.forget()
        self._sampler.forget()

    def begin(self) -> None:
        """Have the machine's load sampled: from the first record on, or earlier."""
        # Taken by the first caller and never given back: only one thread can be the first.
        if self._unstarted.acquire(blocking=False):
            self._sampler.start()

    def flush(self) -> None:
        """At the interpreter's end: let what waits leave."""
        self._stream.flush()

    def emit(
        self,
        level: str,
        message: str,
        inbound: Inbound | None = None,
        status: str = NULL,
        route: str = NULL,
        duration_ms: str = NULL,
        at_ns: int | None = None,
        patient: bool = False,
    ) -> None:
        """Write a record. `status`, `route` and `duration_ms` are JSON texts.

        The queue's time belongs to the record that also has the duration. A patient record may
        wait a few milliseconds for others.
        """
        self.begin()
        now = self._wall_ns() if at_ns is None else at_ns
        url = method = request_id = queue_ms = NULL
        if inbound is not None:
            url, method, request_id = inbound.url, inbound.method, inbound.request_id
            if duration_ms != NULL:
                queue_ms = inbound.queue_ms
        line = render(
            self._timestamp(now),
            level,
            url,
            status,
            encode_basestring(clip(message)),
            self._sampler.load,
            uuid7_at(now),
            method,
            route,
            duration_ms,
            queue_ms,
            request_id,
        )
        self._stream.write((line,) if len(line) <= LINE else split(line), patient)

    def _timestamp(self, now: int) -> str:
        """RFC 3339 of nanoseconds since 1970; the text of the current second is kept."""
        second, rest = divmod(now, _NS_PER_S)
        known, start = self._second
        if second != known:
            start = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, start)
        return f"{start}.{rest // 1000:06d}Z"

    def _dropped(self, count: int) -> bytes:
        """The line that the stream asks for, to write it by itself."""
        now = self._wall_ns()
        return render(
            self._timestamp(now),
            level="WARNING",
            url=NULL,
            status=NULL,
            message=encode_basestring(f"{count} records were dropped: stdout was not read"),
            load=self._sampler.load,
            uuid=uuid7_at(now),
            method=NULL,
            route=NULL,
            duration_ms=NULL,
            queue_ms=NULL,
            request_id=NULL,
        )
