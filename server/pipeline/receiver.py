"""Takes records over TCP and puts them on the bus: ingest's connections.

A connection begins with one line that says who it is:

    {"token": "…"}                            the platform's token: records say where they come from
    {"token": "…", "app": "shop"}             a user's token: all records are that app's
    … "acks": true                            asks for an answer to each batch: how many lines of
                                              it are safe on the bus

and goes on with newline-terminated records, or plain text. Nothing more is read from a connection
while the bus does not take what came before: the sender waits, and nothing is lost.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from flask_kurama.record import decode
from server.errors import KuramaError, StreamError, Unauthenticated
from server.pipeline.assembler import Assembler, Line
from server.pipeline.bus import Bus, subject, token
from server.pipeline.origin import Origin

_READ = 256 * 1024
_HEADER_TIMEOUT_S = 10.0
_HEADER_BYTES = 8192
# A line without an end is given up as text at this length.
_LONGEST_LINE = 1024 * 1024
# Larger messages than this the bus would refuse.
_BATCH = 512 * 1024
_RETRY_S = 0.2
# What PostgreSQL's integer holds.
_MOST_RELEASE = 2**31 - 1

log = logging.getLogger(__name__)

Authorise = Callable[[str, str], Awaitable[None]]
"""Takes a user's token and an app's name; raises KuramaError unless the app is the user's."""


@dataclass(slots=True)
class Counters:
    """What all connections together have seen: lines."""

    received: int = 0
    published: int = 0
    refused: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class _Hello:
    origin: Origin | None
    acks: bool


class Receiver:
    """Serves connections; `platform_token` is the collector's and the operator's."""

    def __init__(
        self, bus: Bus, platform_token: str, authorise: Authorise, max_connections: int
    ) -> None:
        self._bus = bus
        self._platform_token = platform_token
        self._authorise = authorise
        self._max_connections = max_connections
        self.counters = Counters()
        self.waiting = 0
        self._tasks: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first line to its end, or to `close`."""
        self.counters.connections += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if self.counters.connections > self._max_connections:
                raise StreamError(f"More than {self._max_connections} connections")
            hello = await self._greet(reader)
            writer.write(b'{"ok":true}\n')
            await self._relay(reader, writer, hello)
        except KuramaError as error:
            writer.write(orjson.dumps({"error": error.message}) + b"\n")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # Cancelled by `close`: what was not answered the sender sends again.
            pass
        finally:
            self.counters.connections -= 1
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """End every connection."""
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self, reader: asyncio.StreamReader) -> _Hello:
        try:
            async with asyncio.timeout(_HEADER_TIMEOUT_S):
                first = await reader.readline()
            header = orjson.loads(first)
            shown, app, acks = header["token"], header.get("app"), bool(header.get("acks"))
        except (TimeoutError, ValueError, KeyError, TypeError, AttributeError):
            raise Unauthenticated(
                'The first line must be {"token": "…"}, with "app" for a user\'s token'
            ) from None
        if not isinstance(shown, str) or not isinstance(app, str | None):
            raise Unauthenticated("token and app must be strings")
        if hmac.compare_digest(shown.encode(), self._platform_token.encode()):
            return _Hello(None, acks)
        if app is None:
            raise Unauthenticated('A user\'s token needs "app" beside it')
        await self._authorise(shown, app)
        process = token(header.get("process") or "external")
        return _Hello(Origin(app, process, str(header.get("replica") or "external")[:100]), acks)

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: _Hello
    ) -> None:
        rest = b""
        source = _Source(hello.origin)
        while data := await reader.read(_READ):
            rest += data
            end = rest.rfind(b"\n") + 1
            if not end and len(rest) < _LONGEST_LINE:
                continue
            whole, rest = rest[: end or len(rest)], rest[end or len(rest) :]
            count = await self._take(source, whole.splitlines())
            if hello.acks:
                writer.write(b"%d\n" % count)
                await writer.drain()
        await self._take(source, [rest] if rest else [], last=True)

    async def _take(self, source: "_Source", lines: list[bytes], *, last: bool = False) -> int:
        """Put lines on the bus; return how many came, when all of them are safe."""
        batches: dict[str, list[bytes]] = {}
        records = source.records(lines, last=last)
        for name, record in records:
            batches.setdefault(name, []).append(record)
        self.counters.received += len(lines)
        if source.is_trusted:
            self.counters.refused += len(lines) - len(records)
        for name, group in batches.items():
            for batch in _pieces(group):
                await self._publish(name, batch)
            self.counters.published += len(group)
        return len(lines)

    async def _publish(self, name: str, batch: bytes) -> None:
        """Publish until the bus takes it: whoever sent it waits meanwhile."""
        self.waiting += 1
        try:
            while True:
                try:
                    await self._bus.publish(name, batch)
                except StreamError as error:
                    log.warning("%s", error.message)
                    await asyncio.sleep(_RETRY_S)
                else:
                    return
        finally:
            self.waiting -= 1


class _Source:
    """Makes records of one connection's lines."""

    def __init__(self, origin: Origin | None) -> None:
        self._origin = origin
        self._assembler = Assembler()
        self._offset = 0
        # Connections have no files: this makes their plain lines' identities unlike any other's.
        self._name = f"connection {id(self)} {datetime.now(UTC).timestamp()}"

    @property
    def is_trusted(self) -> bool:
        """Whether its records say themselves where they come from."""
        return self._origin is None

    def records(self, lines: list[bytes], *, last: bool) -> list[tuple[str, bytes]]:
        """The bus subject and the line of each record."""
        if self._origin is None:
            return [one for one in map(_trusted, lines) if one is not None]
        name = subject(self._origin.app, self._origin.process)
        found = []
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._offset += 1
            read = Line(text, self._name, self._offset, datetime.now(UTC))
            found += [(name, self._origin.stamp(one)) for one in self._assembler.feed(read)]
        if last or not self._assembler.is_waiting:
            found += [(name, self._origin.stamp(one)) for one in self._assembler.flush()]
        return found


def _trusted(line: bytes) -> tuple[str, bytes] | None:
    """A line of a part of the platform, or of the operator's own sources, which say their app."""
    record = decode(line, orjson.loads)
    if record is None:
        return None
    # As `decode` reads it: bytes that aren't UTF-8 are no reason to refuse it.
    fields: dict[str, Any] = orjson.loads(line.decode("utf-8", "replace"))
    release = fields.get("release")
    origin = Origin(
        token(fields.get("app") or ""),
        token(fields.get("process") or "external"),
        str(fields.get("replica") or "external")[:100],
        release if type(release) is int and 0 <= release <= _MOST_RELEASE else None,
        fields["worker"][:100] if isinstance(fields.get("worker"), str) else None,
    )
    return subject(origin.app, origin.process), origin.stamp(record)


def _pieces(records: list[bytes]) -> list[bytes]:
    """Records in batches that the bus takes."""
    batches: list[list[bytes]] = [[]]
    size = 0
    for record in records:
        if size + len(record) > _BATCH and batches[-1]:
            batches.append([])
            size = 0
        batches[-1].append(record)
        size += len(record)
    return [b"".join(batch) for batch in batches if batch]
