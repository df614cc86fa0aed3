"""git's pkt-line framing: four hex digits of length, then the content; 0000 is a flush.

Source: git's gitprotocol-common documentation.
"""

import re

FLUSH = b"0000"
_HEADER = 4
# Python's own int() would also take "0x1f", "+01f" and "1_0f".
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
# The largest content that one packet may have.
MAX_CONTENT = 65516


class Unframed(ValueError):
    """The bytes are not pkt-lines."""


def packet(content: bytes) -> bytes:
    """`content` as one packet."""
    return b"%04x" % (len(content) + _HEADER) + content


def split(data: bytes) -> tuple[list[bytes | None], bytes]:
    """The contents of the whole packets at the front of `data` (None: a flush), and the rest.

    Raises Unframed where a length makes no sense.
    """
    packets: list[bytes | None] = []
    at = 0
    while len(data) - at >= _HEADER:
        header = data[at : at + _HEADER]
        if not _LENGTH.fullmatch(header):
            raise Unframed(f"{header!r} is no packet's length")
        length = int(header, 16)
        if length == 0:
            packets.append(None)
            at += _HEADER
        elif length < _HEADER:
            raise Unframed(f"{length} is no packet's length")
        elif len(data) - at < length:
            break
        else:
            packets.append(data[at + _HEADER : at + length])
            at += length
    return packets, data[at:]
