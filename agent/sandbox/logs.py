"""Follows the output of replicas: files that supervisord writes and rotates, read by cursors.

A cursor says `inode:offset:length:checksum`: which file, how far, and a checksum of the file's
first `length` bytes, since file systems give inode numbers away again. Rotation renames files, so
a cursor holds through it; one whose file is gone means a gap.
"""

import json
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from agent.runtime import LogChunk, Stop
from agent.sandbox.layout import Layout
from agent.sandbox.replicas import ReplicaFile

_POLL_S = 0.05
# New replicas are looked for this often.
_SCAN_EVERY = 5
_READ = 256 * 1024
_MAX_LINE = 64 * 1024
_FINGERPRINT = 256


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a file that may be renamed meanwhile."""

    inode: int
    offset: int
    length: int
    checksum: int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor that `text` states, or None if it states none."""
        try:
            return cls(*(int(part) for part in text.split(":")))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}:{self.length}:{self.checksum}"

    def fits(self, file: BinaryIO) -> bool:
        """Whether `file` is the one that the cursor was taken in."""
        if os.fstat(file.fileno()).st_ino != self.inode:
            return False
        return zlib.crc32(os.pread(file.fileno(), self.length, 0)) == self.checksum


class Stream:
    """The output of one replica, from where its cursor was."""

    def __init__(self, path: Path, replica: ReplicaFile, cursor: str | None) -> None:
        self._path = path
        self._replica = replica
        self._file: BinaryIO | None = None
        self._offset = 0
        self._gap = False
        self._open(Cursor.parse(cursor) if cursor else None)

    def read(self, *, gone: bool) -> LogChunk | None:
        """Whole lines that are there now, or None. With `gone`, also a last line without an end."""
        if self._file is None:
            self._open(None)
            if self._file is None:
                return None
        # Asked first: what is read from a file that was rotated before is all that it will hold.
        rotated = self._rotated()
        data = os.pread(self._file.fileno(), _READ, self._offset)
        end = _last_line_end(data)
        if not end and len(data) < _READ:
            # No whole line yet: it may go on in this file, or the file was rotated or given up.
            if rotated:
                end = len(data)
                if not end:
                    self._next()
                    return self.read(gone=gone)
            elif gone:
                end = len(data)
            else:
                return None
        return self._chunk(data[: end or len(data)])

    def finished(self) -> LogChunk:
        """The chunk that says that nothing more will come."""
        return self._as_chunk([], [], ended=True)

    def close(self) -> None:
        """Give the file up."""
        if self._file:
            self._file.close()
            self._file = None

    def _chunk(self, data: bytes) -> LogChunk | None:
        if not data:
            return None
        pieces = data.split(b"\n")
        if pieces[-1] == b"":
            pieces.pop()
        lines = [_cut(piece.decode("utf-8", "replace")) for piece in pieces]
        offsets = list(accumulate((len(piece) + 1 for piece in pieces[:-1]), initial=self._offset))
        self._offset += len(data)
        return self._as_chunk(lines, offsets)

    def _as_chunk(self, lines: list[str], offsets: list[int], *, ended: bool = False) -> LogChunk:
        replica = self._replica
        gap, self._gap = self._gap, False
        cursor = self._cursor() if self._file else None
        return LogChunk(
            replica.instance,
            replica.app,
            replica.release,
            replica.process,
            replica.number,
            lines,
            offsets,
            str(cursor.inode) if cursor else "",
            str(cursor or ""),
            gap,
            ended,
        )

    def _cursor(self) -> Cursor:
        assert self._file is not None  # noqa: S101 - there are no lines without a file
        head = os.pread(self._file.fileno(), min(_FINGERPRINT, self._offset), 0)
        inode = os.fstat(self._file.fileno()).st_ino
        return Cursor(inode, self._offset, len(head), zlib.crc32(head))

    def _files(self) -> list[Path]:
        """The ring of files, oldest first."""
        backups = self._path.parent.glob(f"{self._path.name}.*")
        numbered = sorted(
            (path for path in backups if path.suffix[1:].isdigit()),
            key=lambda path: -int(path.suffix[1:]),
        )
        return [*numbered, self._path]

    def _open(self, cursor: Cursor | None) -> None:
        """Open the file of `cursor`, else the oldest: a gap, if there was a cursor."""
        oldest: BinaryIO | None = None
        for path in self._files():
            try:
                file = path.open("rb")
            except OSError:
                continue
            if cursor and cursor.fits(file):
                self._file, self._offset = file, cursor.offset
                return
            if oldest is None:
                oldest = file
            else:
                file.close()
        self._file, self._offset, self._gap = oldest, 0, cursor is not None

    def _rotated(self) -> bool:
        """Whether a newer file than the one that is open has been begun."""
        assert self._file is not None  # noqa: S101 - asked by read, which has one
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except OSError:
            return False

    def _next(self) -> None:
        """Go on to the file that was begun after the open one."""
        assert self._file is not None  # noqa: S101 - as above
        here = os.fstat(self._file.fileno()).st_ino
        files = self._files()
        inodes = [_inode(path) for path in files]
        known = here in inodes
        following = files[inodes.index(here) + 1] if known else files[0]
        self._gap = not known
        self._file.close()
        self._file, self._offset = following.open("rb"), 0


class Follower:
    """Follows all replicas of a sandbox, those that start later included."""

    def __init__(self, layout: Layout, cursors: Mapping[str, str]) -> None:
        self._layout = layout
        self._cursors = dict(cursors)
        self._streams: dict[str, Stream] = {}
        self._ended: set[str] = set()
        self._turn = 0

    def read(self, wait_s: float, most: int, stop: Stop) -> list[LogChunk]:
        """See LogFollower."""
        deadline = time.monotonic() + wait_s
        while True:
            if self._turn % _SCAN_EVERY == 0:
                self._scan()
            self._turn += 1
            chunks = self._read_all(most)
            if chunks or stop.is_set() or time.monotonic() >= deadline:
                return chunks
            stop.wait(_POLL_S)

    def close(self) -> None:
        """See LogFollower."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _read_all(self, most: int) -> list[LogChunk]:
        """One chunk of each stream that has any; who comes last now comes first next time."""
        chunks: list[LogChunk] = []
        size = 0
        for instance in list(self._streams):
            stream = self._streams.pop(instance)
            gone = not self._layout.replica(instance).exists()
            chunk = stream.read(gone=gone)
            if chunk is None and gone:
                self._ended.add(instance)
                chunks.append(stream.finished())
                stream.close()
                continue
            self._streams[instance] = stream
            if chunk is not None:
                chunks.append(chunk)
                # An empty line takes room on the wire, too.
                size += sum(len(line) + 1 for line in chunk.lines)
            if size > most:
                break
        return chunks

    def _scan(self) -> None:
        for path in (self._layout.home / "logs").glob("*.json"):
            instance = path.stem
            log = self._layout.log(instance)
            if instance in self._streams or instance in self._ended or not log.exists():
                continue
            replica = ReplicaFile(**json.loads(path.read_text()))
            self._streams[instance] = Stream(log, replica, self._cursors.pop(instance, None))


def tail(layout: Layout, instance: str, count: int) -> list[str]:
    """The last `count` lines of a replica's newest file."""
    try:
        with layout.log(instance).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MAX_LINE))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def drop(layout: Layout, instance: str) -> None:
    """Delete the output of a replica that is gone."""
    if layout.replica(instance).exists():
        return
    log = layout.log(instance)
    for path in (*log.parent.glob(f"{log.name}*"), log.with_suffix(".json")):
        path.unlink(missing_ok=True)


def _last_line_end(data: bytes) -> int:
    return data.rfind(b"\n") + 1


def _cut(line: str) -> str:
    if len(line) <= _MAX_LINE:
        return line.rstrip("\r")
    return f"{line[:_MAX_LINE]} [kurama: cut, the line had {len(line)} characters]"


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1
