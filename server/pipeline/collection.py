"""One worker's output on its way to ingest: read, made into records, sent, and only then left."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from server.errors import StreamError, WorkerError
from server.pipeline.assembler import Assembler, Line
from server.pipeline.forwarder import Forwarder
from server.pipeline.journal import Journal, Place
from server.pipeline.origin import Origin
from server.workers.client import LogChunk, Worker

_WAIT_S = 0.5
_MOST_BYTES = 1024 * 1024
# A traceback that has not gone on for this long is whole.
_FOLD_PATIENCE_S = 0.3
_RETRY_S = 0.5

log = logging.getLogger(__name__)


class _Stream:
    """One replica's output: its assembler, and what of it is not safe yet."""

    def __init__(self, chunk: LogChunk, worker: str) -> None:
        self.assembler = Assembler()
        replica = f"{chunk.process}.{chunk.number}"
        self.origin = Origin(chunk.app, chunk.process, replica, chunk.release, worker)
        self.fed_at = 0.0
        # Where to go on once what waits in the assembler has been sent too.
        self.cursor = ""


class Collection:
    """Collects from one worker until told to stop. `clock` is in seconds since the epoch."""

    def __init__(
        self,
        worker: Worker,
        journal: Journal,
        forwarder: Forwarder,
        beat: Callable[..., None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._worker = worker
        self._journal = journal
        self._forwarder = forwarder
        self._beat = beat
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._records = 0
        self._gaps = 0

    def run(self, stopping: threading.Event) -> None:
        """Read, send, repeat; what fails is tried again from the last safe place."""
        begin = True
        while not stopping.is_set():
            try:
                cursors = self._journal.cursors if begin else None
                chunks = self._worker.logs(cursors, wait_s=_WAIT_S, most=_MOST_BYTES)
                begin = False
                self._take(chunks, stopping)
                self._beat("ok", records=self._records, gaps=self._gaps)
            except (WorkerError, StreamError) as error:
                self._beat("degraded", error.message)
                self._streams.clear()
                begin = True
                stopping.wait(_RETRY_S)

    def _take(self, chunks: Sequence[LogChunk], stopping: threading.Event) -> None:
        """Make chunks into records, send them, and move on behind them."""
        at = self._clock()
        lines: list[bytes] = []
        places: dict[str, Place] = {}
        for chunk in chunks:
            lines += self._assemble(chunk, at)
            if chunk.offsets:
                place = self._journal.place(chunk.instance)
                end = chunk.offsets[-1] + 1
                places[chunk.instance] = place.reaching(chunk.file, end, at)
        lines += self._flush_idle(at)
        if places:
            self._journal.update(places)
        if lines and not self._send(lines, stopping):
            return
        self._records += len(lines)
        self._settle(chunks)

    def _assemble(self, chunk: LogChunk, at: float) -> list[bytes]:
        """The records of one chunk, as lines for ingest."""
        stream = self._streams.get(chunk.instance)
        if stream is None:
            stream = self._streams[chunk.instance] = _Stream(chunk, self._worker.name)
        if chunk.gap:
            self._gaps += 1
            log.warning("%s: output was lost, its buffer was full", chunk.instance)
        place = self._journal.place(chunk.instance)
        source = f"{chunk.instance} {chunk.file}"
        found: list[bytes] = []
        for text, offset in zip(chunk.lines, chunk.offsets, strict=True):
            known = place.time_of(chunk.file, offset)
            moment = datetime.fromtimestamp(at if known is None else known, UTC)
            line = Line(text, source, offset, moment)
            found += [stream.origin.stamp(record) for record in stream.assembler.feed(line)]
        if chunk.ended:
            found += [stream.origin.stamp(record) for record in stream.assembler.flush()]
        stream.fed_at = at
        stream.cursor = chunk.cursor
        return found

    def _flush_idle(self, at: float) -> list[bytes]:
        """Tracebacks that nothing has been added to for a while."""
        return [
            stream.origin.stamp(record)
            for stream in self._streams.values()
            if stream.assembler.is_waiting and at - stream.fed_at > _FOLD_PATIENCE_S
            for record in stream.assembler.flush()
        ]

    def _send(self, lines: Sequence[bytes], stopping: threading.Event) -> bool:
        """Send until it works; False when it was told to stop before."""
        while True:
            try:
                self._forwarder.send(lines)
            except StreamError as error:
                self._beat("degraded", error.message)
                if stopping.wait(_RETRY_S):
                    return False
            else:
                return True

    def _settle(self, chunks: Sequence[LogChunk]) -> None:
        """Move the journal behind what is safe; drop the output of replicas that are gone."""
        safe = {
            name: Place(stream.cursor)
            for name, stream in self._streams.items()
            if not stream.assembler.is_waiting
            and stream.cursor
            and self._journal.place(name) != Place(stream.cursor)
        }
        if safe:
            self._journal.update(safe)
        ended = [chunk.instance for chunk in chunks if chunk.ended]
        for instance in ended:
            self._streams.pop(instance, None)
        if ended:
            self._worker.drop_logs(ended)
            self._journal.forget(ended)
