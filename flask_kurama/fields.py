"""What the single fields of a record may hold. Whatever comes, nothing here raises.

Each function gives the value as the record carries it, or None when it is none.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-][0-9]{2}:[0-9]{2}))"
)
_TIMESTAMP_CHARS = len("2026-11-23T13:12:00.123456789+00:00")
_SURROGATES = re.compile("[\ud800-\udfff]")


def timestamp(value: object) -> str | None:
    """An RFC 3339 time, brought to UTC and microseconds."""
    if not isinstance(value, str) or len(value) > _TIMESTAMP_CHARS:
        return None
    # As a record has it. Records come in bursts, so that the second has been looked at before.
    canonical = value[19:20] == "." and value[26:] == "Z" and value[20:26].isdigit()
    if canonical and value.isascii() and _is_second(value[:19]):
        return value
    return _brought_to_utc(value)


def uuid7(value: object) -> str | None:
    """A UUID of version 7, in lower case."""
    if not isinstance(value, str):
        return None
    lower = value.lower()
    return lower if _UUID7.fullmatch(lower) else None


def string(value: object, most: int | None = None) -> str | None:
    """At most `most` characters, with U+FFFD for what PostgreSQL or UTF-8 cannot hold."""
    if not isinstance(value, str):
        return None
    text = value[:most]
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def status(value: object) -> int | None:
    """A response's code, of three digits."""
    return value if type(value) is int and 100 <= value <= 999 else None


def within(value: object, most: float) -> float | None:
    """A number of 0 to `most`; NaN compares false and falls out with the rest."""
    if type(value) is not int and type(value) is not float:
        return None
    return value if 0 <= value <= most else None


@lru_cache(maxsize=256)
def _is_second(value: str) -> bool:
    """Whether `value` is a date and a time of day as records have them."""
    return _brought_to_utc(f"{value}Z") == f"{value}.000000Z"


def _brought_to_utc(value: str) -> str | None:
    shape = _RFC3339.fullmatch(value)
    if shape is None:
        return None
    day, time, fraction, offset = shape.groups()
    written = f"{day}T{time}.{(fraction or '')[:6]:0<6}"
    try:
        moment = datetime.fromisoformat(written + (offset or ""))
        if offset:
            moment = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
