"""From a replica's output to records: JSON records pass, everything else becomes one.

A traceback is one record, however many lines it has; a record in parts is put together. A record
that is made here gets its time and UUID from where it stands in the output, so that reading the
same output again makes the same records again.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from flask_kurama.parts import Joiner
from flask_kurama.record import Record, clip, decode
from flask_kurama.uuid7 import uuid7_from

# gunicorn's own lines: [2026-01-31 12:00:00 +0000] [7] [INFO] …
_GUNICORN = re.compile(
    r"\[\d{4}-\d\d-\d\d [^\]]+\] \[\d+\] \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]"
)
_TRACEBACK = re.compile(r"[\s|+]*(Exception Group )?Traceback \(most recent call last\):")
# The last line of an exception group, which no line with the exception's name follows.
_GROUP_END = re.compile(r"[\s|]*\+-+\s*")
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
# Deep recursion prints a thousand frames; what is longer than this is cut into several records.
_MOST_FOLDED = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output: it stands at byte `offset` of `source` and was first read at `at`."""

    text: str
    source: str
    offset: int
    at: datetime


class Assembler:
    """Turns the lines of one replica into records, in order. What is not whole yet waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._folded: list[Line] = []
        self._exception_seen = False
        self._joiner = Joiner(clock)

    @property
    def is_waiting(self) -> bool:
        """Whether a traceback, or a record in parts, has begun and may not have ended."""
        return bool(self._folded) or self._joiner.is_waiting

    def feed(self, line: Line) -> Iterator[Record]:
        """Take the next line; yield the records that are whole now."""
        if self._folded:
            if self._belongs(line.text) and len(self._folded) < _MOST_FOLDED:
                self._folded.append(line)
                return
            yield from self.flush()
        if _TRACEBACK.match(line.text):
            self._folded = [line]
            self._exception_seen = False
            return
        if line.text.startswith("{"):
            whole = self._joiner.join(line.text.encode("utf-8", "replace"))
            if whole is None:
                return
            yield decode(whole, orjson.loads) or _plain(line)
        else:
            yield _plain(line)

    def flush(self) -> Iterator[Record]:
        """Yield what waits as it is: nothing more will come, or nothing has for a while."""
        self._joiner.expire()
        if self._folded:
            folded, self._folded = self._folded, []
            text = "\n".join(line.text for line in folded).rstrip()
            yield _made(folded[0], "ERROR", text)

    def _belongs(self, text: str) -> bool:
        """Whether `text` goes on with the traceback that has begun."""
        if _TRACEBACK.match(text):
            self._exception_seen = False
            return True
        if _GROUP_END.fullmatch(text):
            self._exception_seen = True
            return True
        if text.startswith((" ", "\t", "|", "+")) or not text.strip() or text in _CHAINED:
            return True
        if self._exception_seen or text.startswith("{"):
            return False
        # The line that names the exception ends the frames.
        self._exception_seen = True
        return True


def _plain(line: Line) -> Record:
    known = _GUNICORN.match(line.text)
    return _made(line, known[1] if known else "INFO", line.text)


def _made(line: Line, level: str, message: str) -> Record:
    """A record for what was only printed."""
    milliseconds = int(line.at.timestamp() * 1000)
    # The offset first: records that have one time sort as they were printed.
    place = line.offset.to_bytes(6, "big") + hashlib.sha256(line.source.encode()).digest()
    return Record(
        timestamp=f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        level=level,
        url=None,
        status=None,
        message=clip(message.replace("\0", "\N{REPLACEMENT CHARACTER}")),
        cpu_percent=None,
        disk_percent=None,
        swap_percent=None,
        memory_percent=None,
        uuid=uuid7_from(milliseconds, place),
        method=None,
        route=None,
        duration_ms=None,
        queue_ms=None,
        request_id=None,
    )
