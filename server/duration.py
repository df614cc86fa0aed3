"""Lengths of time as people write them: "30s", "5m", "1h30m", "7d"."""

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse(text: str) -> timedelta:
    """Return the length of time that `text` states; a plain number is seconds.

    Raises ValueError where it states none.
    """
    stripped = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        stripped += "s"
    if not stripped or _PART.sub("", stripped).strip():
        raise ValueError(f"{text[:80]!r} is no length of time: write 30s, 5m, 2h or 7d")
    seconds = sum(float(n) * _SECONDS[unit] for n, unit in _PART.findall(stripped))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text[:80]!r} is too long a time") from None


def short(seconds: float) -> str:
    """Write a length of time for people: "0.8 s", "12 s", "3 min", "5 h", "2 days"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"
