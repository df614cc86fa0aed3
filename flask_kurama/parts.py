"""Lines that are too long for one write: cut into part lines, and put together again.

A write to a pipe is whole only up to PIPE_BUF, 4,096 bytes on Linux, and Docker splits lines at
16 KB. A longer record travels as part lines, each of at most LINE bytes with its newline:

    {"kurama_part":["<the record's uuid>",index,count],"data":"<a piece of the record's JSON>"}

What is in the record is record.py's matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring

from flask_kurama.record import LINE_BYTES
from flask_kurama.uuid7 import uuid7

# What outlet.PIPE_BYTES says, too; the pipeline reads this module, and writes to no pipe.
LINE = 4096
_START = b'{"kurama_part":['
_UUID_KEY = b'"uuid":"'
_UUID_CHARS = 36
# What a part line has besides its data: brackets, keys, the uuid and two numbers of five digits.
_FRAME = len('{"kurama_part":["",,],"data":""}\n') + _UUID_CHARS + 2 * 5
_ROOM = LINE - _FRAME
# A piece may be short of full by one escaped character; LINE_BYTES of pieces and some to spare.
_MOST_PARTS = LINE_BYTES // (_ROOM // 4)


def split(line: bytes) -> list[bytes]:
    """The lines to write for one record's line: itself where it is short, else its parts."""
    if len(line) <= LINE:
        return [line]
    pieces = _pieces(line.rstrip(b"\n").decode("utf-8", "replace"))
    name, count = _uuid_of(line), len(pieces)
    return [
        f'{{"kurama_part":["{name}",{index},{count}],"data":{piece}}}\n'.encode()
        for index, piece in enumerate(pieces)
    ]


def _pieces(content: str) -> list[str]:
    """`content` as JSON strings, each of at most _ROOM bytes, never cut inside a character."""
    pieces, start = [], 0
    while start < len(content):
        length = _ROOM
        while True:
            piece = encode_basestring(content[start : start + length])
            size = len(piece.encode()) - 2
            if size <= _ROOM:
                break
            length = max(1, min(length, len(content) - start) * _ROOM // size)
        pieces.append(piece)
        start += length
    return pieces


def _uuid_of(line: bytes) -> str:
    """The record's uuid. A quote inside a value is escaped, so the key's last place is the key."""
    at = line.rfind(_UUID_KEY)
    found = line[at + len(_UUID_KEY) :][:_UUID_CHARS].decode("ascii", "replace") if at >= 0 else ""
    return found if len(found) == _UUID_CHARS and found.replace("-", "").isalnum() else uuid7()


class _Unfinished:
    """The parts of one record that have come so far."""

    __slots__ = ("count", "pieces", "since", "size")

    def __init__(self, count: int, since: float) -> None:
        self.count = count
        self.since = since
        self.size = 0
        self.pieces: dict[int, str] = {}


class Joiner:
    """Puts the part lines of one stream together again, within bounds.

    At most `records` unfinished records and `size` characters of them are kept, the oldest go
    first; none is kept for longer than `age` seconds of `clock`. `discarded` counts the records
    that were given up unfinished.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        records: int = 64,
        size: int = 8 * LINE_BYTES,
        age: float = 30.0,
    ) -> None:
        self.discarded = 0
        self._clock = clock
        self._records = records
        self._room = size
        self._age = age
        self._size = 0
        # In the order of their first parts: a dict keeps it.
        self._unfinished: dict[str, _Unfinished] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether parts of a record have come, but not all."""
        return bool(self._unfinished)

    def join(self, line: bytes) -> bytes | None:
        """The whole line that `line` completes, or None while parts are missing.

        What is no part line, or only looks like one, comes back as it is.
        """
        part = _part(line) if line.startswith(_START) else None
        if part is None:
            return line
        name, index, count, data = part
        self.expire()
        record = self._unfinished.get(name)
        if record is None:
            record = self._unfinished[name] = _Unfinished(count, self._clock())
        if record.count != count:
            self._discard(name)
            return None
        self._add(record, index, data)
        if len(record.pieces) == count:
            return self._finish(name)
        self._shrink()
        return None

    def expire(self) -> None:
        """Give up the records whose first part is older than `age`."""
        oldest_kept = self._clock() - self._age
        for name in [n for n, r in self._unfinished.items() if r.since < oldest_kept]:
            self._discard(name)

    def _add(self, record: _Unfinished, index: int, data: str) -> None:
        if index not in record.pieces:
            record.pieces[index] = data
            record.size += len(data)
            self._size += len(data)

    def _finish(self, name: str) -> bytes:
        record = self._unfinished.pop(name)
        self._size -= record.size
        content = "".join(record.pieces[index] for index in range(record.count))
        return content.encode("utf-8", "replace") + b"\n"

    def _shrink(self) -> None:
        while len(self._unfinished) > self._records or self._size > self._room:
            self._discard(next(iter(self._unfinished)))

    def _discard(self, name: str) -> None:
        self._size -= self._unfinished.pop(name).size
        self.discarded += 1


def _part(line: bytes) -> tuple[str, int, int, str] | None:
    """A part line's uuid, index, count and data; None when it is none."""
    if len(line) > LINE:
        return None
    try:
        found = json.loads(line.decode("utf-8"))
        (name, index, count), data = found["kurama_part"], found["data"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(data, str):
        return None
    if type(index) is not int or type(count) is not int or not 0 <= index < count <= _MOST_PARTS:
        return None
    return name[:_UUID_CHARS], index, count, data
