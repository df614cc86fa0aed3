"""Identifiers: UUIDs of version 7, which sort by time (RFC 9562, section 5.7), and short ones.

They are names, not secrets. Nothing else lives here.
"""

from __future__ import annotations

import os
import random
import time

# A generator of our own: the module's is the application's, which may have seeded it, and asking
# the system each time takes longer. A forked process must not repeat its parent's sequence.
_generator = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)

_bits = _generator.getrandbits

_NS_PER_MS = 1_000_000
_MAX_MS = (1 << 48) - 1
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_BITS = 62
_RANDOM = (1 << _RANDOM_BITS) - 1
_ENTROPY_BYTES = 10


def uuid7() -> str:
    """A UUIDv7 of now, as text."""
    return uuid7_at(time.time_ns())


def uuid7_at(unix_ns: int) -> str:
    """A UUIDv7 of a time in nanoseconds since 1970.

    The 12 bits after the version are the fraction of the millisecond (RFC 9562, section 6.2,
    method 3), so that UUIDs of one process sort by time to a quarter of a microsecond.
    """
    ms, rest = divmod(unix_ns, _NS_PER_MS)
    return _text(ms & _MAX_MS, (rest << 12) // _NS_PER_MS, _bits(_RANDOM_BITS))


def uuid7_from(unix_ms: int, entropy: bytes) -> str:
    """The UUIDv7 of a time in milliseconds since 1970 and of `entropy`: the same for the same.

    Ten bytes of entropy are used; ValueError when there are fewer, or when the time has no room in
    48 bits.
    """
    if not 0 <= unix_ms <= _MAX_MS:
        raise ValueError(f"{unix_ms} ms is outside what a UUIDv7 can hold")
    if len(entropy) < _ENTROPY_BYTES:
        raise ValueError(f"{len(entropy)} bytes of entropy, {_ENTROPY_BYTES} are needed")
    number = int.from_bytes(entropy[:_ENTROPY_BYTES], "big")
    return _text(unix_ms, number >> 68, number & _RANDOM)


def short_id() -> str:
    """Sixteen hexadecimal digits."""
    return _bits(64).to_bytes(8, "big").hex()


def _text(ms: int, high: int, low: int) -> str:
    """48 bits of time, 12 bits and 62 bits around the version and the variant."""
    number = ms << 80 | _VERSION | high << 64 | _VARIANT | low
    # Half the time of formatting five integers.
    text = number.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
