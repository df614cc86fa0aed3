"""Where a record comes from: what the platform adds to it, and an application can't say itself."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from flask_kurama.record import Record, encode


@dataclass(frozen=True)
class Origin:
    """The source of a stream of records. `release` and `worker` are None outside the platform."""

    app: str
    process: str
    replica: str
    release: int | None = None
    worker: str | None = None

    def stamp(self, record: Record) -> bytes:
        """The record's line with this origin behind its own fields."""
        return encode(record)[:-2] + self._suffix

    @cached_property
    def _suffix(self) -> bytes:
        fields: dict[str, Any] = {
            "app": self.app,
            "process": self.process,
            "replica": self.replica,
            "release": self.release,
            "worker": self.worker,
        }
        return b"," + orjson.dumps(fields)[1:] + b"\n"
