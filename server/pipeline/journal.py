"""How far the collector has come with each output: on disk, so that a crash costs nothing.

For each stream: the cursor up to which everything is safe, and, for lines that were being sent,
where they end and what time they were given. After a crash they are read and sent again, as the
very same records.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from server.errors import StreamError


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of `file` before byte `until`, behind the segment before: read at `at` (epoch, s)."""

    file: str
    until: int
    at: float


@dataclass(frozen=True, slots=True)
class Place:
    """One stream: `cursor` is the agent's ("" to begin with), `pending` what lies behind it."""

    cursor: str
    pending: tuple[Segment, ...] = ()

    def time_of(self, file: str, offset: int) -> float | None:
        """When the line at `offset` was first read, or None if that is now."""
        return next((s.at for s in self.pending if s.file == file and offset < s.until), None)

    def reaching(self, file: str, until: int, at: float) -> "Place":
        """This place with lines up to `until` pending as well."""
        known = any(s.file == file and until <= s.until for s in self.pending)
        return self if known else Place(self.cursor, (*self.pending, Segment(file, until, at)))


class Journal:
    """The places of all streams of one worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, Place] = self._load()

    @property
    def cursors(self) -> dict[str, str]:
        """What to ask the agent to go on from."""
        return {name: place.cursor for name, place in self._places.items() if place.cursor}

    def place(self, stream: str) -> Place:
        """Where one stream is."""
        return self._places.get(stream, Place(""))

    def update(self, places: Mapping[str, Place]) -> None:
        """Write new places down; they hold once this returns. StreamError where that fails."""
        self._places |= places
        self._save()

    def forget(self, streams: Iterable[str]) -> None:
        """Drop streams that have ended and are safe."""
        for stream in streams:
            self._places.pop(stream, None)
        self._save()

    def _load(self) -> dict[str, Place]:
        try:
            found = json.loads(self._path.read_text())
            return {
                name: Place(fields["cursor"], tuple(Segment(**one) for one in fields["pending"]))
                for name, fields in found.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Not there, or not ours: everything is read from its beginning.
            return {}

    def _save(self) -> None:
        text = json.dumps({name: asdict(place) for name, place in self._places.items()})
        fresh = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(text)
            fresh.replace(self._path)
        except OSError as error:
            raise StreamError(f"{self._path} can't be written: {error.strerror}") from error
