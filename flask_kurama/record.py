"""The record: one log entry as one JSON object on one line, its encoder and its decoder.

The format exists here and nowhere else: the library writes it, the pipeline reads it. Standard
library only; where a line is longer than a pipe takes at once, see parts.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from flask_kurama import fields as check

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Bounds on what a record carries. What is longer is cut, never refused.
MESSAGE_BYTES = 64 * 1024
URL_CHARS = 8192
ROUTE_CHARS = 2048
METHOD_CHARS = 32
REQUEST_ID_CHARS = 128
# No record is longer: a full message takes six bytes a byte when all of it must be escaped.
LINE_BYTES = 1024 * 1024
# Eleven days: a longer request is a broken clock.
_MAX_MS = 1e9
_UTF8_LONGEST = 4


@dataclass(frozen=True)
class Record:
    """One log entry. Percentages are 0 to 100, times are milliseconds, None is "does not apply".

    `timestamp` is RFC 3339 in UTC with microseconds, `level` one of LEVELS, `uuid` a UUIDv7.
    """

    # By hand, as dataclass(slots=True) came with Python 3.10.
    __slots__ = (
        "cpu_percent", "disk_percent", "duration_ms", "level", "memory_percent", "message",
        "method", "queue_ms", "request_id", "route", "status", "swap_percent", "timestamp",
        "url", "uuid",
    )  # fmt: skip

    timestamp: str
    level: str
    url: str | None
    status: int | None
    message: str
    cpu_percent: float | None
    disk_percent: float | None
    swap_percent: float | None
    memory_percent: float | None
    uuid: str
    method: str | None
    route: str | None
    duration_ms: float | None
    queue_ms: float | None
    request_id: str | None


FIELDS = tuple(field.name for field in fields(Record))
TEN_FIELDS = FIELDS[:10]
EXTRA_FIELDS = FIELDS[10:]


def render(
    timestamp: str,
    level: str,
    url: str,
    status: str,
    message: str,
    load: str,
    uuid: str,
    method: str,
    route: str,
    duration_ms: str,
    queue_ms: str,
    request_id: str,
) -> bytes:
    """The line of a record whose values are JSON texts already, but for timestamp, level and uuid.

    `load` is what load_text() gives. A lone surrogate, which UTF-8 has no bytes for, becomes "?".
    """
    return (
        f'{{"timestamp":"{timestamp}","level":"{level}","url":{url},"status":{status},'
        f'"message":{message},{load},"uuid":"{uuid}","method":{method},"route":{route},'
        f'"duration_ms":{duration_ms},"queue_ms":{queue_ms},"request_id":{request_id}}}\n'
    ).encode("utf-8", "replace")


def load_text(
    cpu: float | None, disk: float | None, swap: float | None, memory: float | None
) -> str:
    """The four percentages as the piece of JSON that stands in a record."""
    return (
        f'"cpu_percent":{number(cpu)},"disk_percent":{number(disk)},'
        f'"swap_percent":{number(swap)},"memory_percent":{number(memory)}'
    )


def number(value: float | None) -> str:
    """A number's JSON text; null for None, and for NaN and infinity, which JSON has not."""
    return "null" if value is None or not isfinite(value) else repr(value)


def text(value: str | None) -> str:
    """A string's JSON text, or null."""
    return "null" if value is None else encode_basestring(value)


def clip(message: str) -> str:
    """A message cut to MESSAGE_BYTES of UTF-8, with a mark that tells its true length."""
    if len(message) * _UTF8_LONGEST <= MESSAGE_BYTES:
        return message
    start = message[:MESSAGE_BYTES].encode("utf-8", "replace")
    if len(start) <= MESSAGE_BYTES and len(message) <= MESSAGE_BYTES:
        return message
    mark = f"… [cut: {len(message)} characters]"
    return start[: MESSAGE_BYTES - len(mark.encode())].decode("utf-8", "ignore") + mark


def encode(record: Record) -> bytes:
    """The record's line, with its newline."""
    return render(
        record.timestamp,
        record.level,
        text(record.url),
        number(record.status),
        encode_basestring(clip(record.message)),
        load_text(
            record.cpu_percent, record.disk_percent, record.swap_percent, record.memory_percent
        ),
        record.uuid,
        text(record.method),
        text(record.route),
        number(record.duration_ms),
        number(record.queue_ms),
        text(record.request_id),
    )


def decode(line: bytes | str, loads: Callable[[str], Any] = json.loads) -> Record | None:
    """The record that a line carries, or None when it carries none. Never raises.

    A record is a JSON object with a `timestamp` in RFC 3339 with a zone, a `level` of LEVELS, a
    `message` that is a string, and a `uuid` of version 7; without any of them there is no record.
    Other fields are null when they are missing, of another type, or out of range: percentages
    outside 0 to 100, a status outside 100 to 999, times that are negative or over 11 days, NaN,
    infinity, numbers too large. The timestamp is brought to UTC and microseconds; NUL, lone
    surrogates and bytes that are not UTF-8 become U+FFFD; long strings are cut. Keys that the
    format does not know are left out, so an application cannot forge what the platform adds.

    `loads` may be a faster parser of JSON; it must raise ValueError for what is not JSON.
    """
    if len(line) > LINE_BYTES:
        return None
    content = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    # Most lines that are no records are prints and tracebacks.
    if not content.lstrip().startswith("{"):
        return None
    try:
        found = loads(content)
    except (ValueError, RecursionError):
        return None
    return _record(found) if isinstance(found, dict) else None


def _record(found: dict[str, Any]) -> Record | None:
    get = found.get
    timestamp, level = check.timestamp(get("timestamp")), get("level")
    message, uuid = check.string(get("message")), check.uuid7(get("uuid"))
    if timestamp is None or message is None or uuid is None:
        return None
    if not isinstance(level, str) or level not in LEVELS:
        return None
    return Record(
        timestamp,
        level,
        check.string(get("url"), URL_CHARS),
        check.status(get("status")),
        clip(message),
        check.within(get("cpu_percent"), 100),
        check.within(get("disk_percent"), 100),
        check.within(get("swap_percent"), 100),
        check.within(get("memory_percent"), 100),
        uuid,
        check.string(get("method"), METHOD_CHARS),
        check.string(get("route"), ROUTE_CHARS),
        check.within(get("duration_ms"), _MAX_MS),
        check.within(get("queue_ms"), _MAX_MS),
        check.string(get("request_id"), REQUEST_ID_CHARS),
    )
