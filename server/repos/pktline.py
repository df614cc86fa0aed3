"""git's pkt-line framing: four hex digits of length, then the content; 0000 is a flush.

Source: git's gitprotocol-common documentation.
"""

FLUSH = b"0000"
_HEADER = 4
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
        try:
            length = int(data[at : at + _HEADER], 16)
        except ValueError:
            raise Unframed(f"{data[at : at + _HEADER]!r} is no packet's length") from None
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
