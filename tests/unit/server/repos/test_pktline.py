"""git's packets: made, and found again in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.repos import pktline
from server.repos.pktline import FLUSH, Unframed, packet, split


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", b"0004"), (b"a\n", b"0006a\n"), (b"x" * 65516, b"fff0" + b"x" * 65516)],
)
def test_a_packet_begins_with_its_length(content: bytes, line: bytes) -> None:
    """In four hex digits, their own four bytes included: git's own examples."""
    assert packet(content) == line
    assert split(line) == ([content], b"")


def test_the_largest_packet_is_gits() -> None:
    """LARGE_PACKET_DATA_MAX; one more byte needs no fifth digit, but git takes it no more."""
    assert len(packet(b"x" * pktline.MAX_CONTENT)) == 65520


def test_a_flush_is_not_an_empty_packet() -> None:
    """The one is None, the other b""."""
    assert split(FLUSH + packet(b"") + FLUSH) == ([None, b"", None], b"")


def test_what_is_not_whole_waits() -> None:
    """At every place where it can be cut."""
    line = packet(b"hello")
    for at in range(len(line)):
        assert split(line[:at]) == ([], line[:at])
    assert split(line + line[:3]) == ([b"hello"], line[:3])


def test_digits_may_be_capitals() -> None:
    """git writes small ones and reads both."""
    assert split(b"000Ahello!") == ([b"hello!"], b"")


@pytest.mark.parametrize(
    "header", [b"PACK", b"0x1f", b"+00a", b" 00a", b"00a ", b"1_00", b"-001", b"0001", b"0003"]
)
def test_what_is_no_length_is_no_packet(header: bytes) -> None:
    """Also what Python would read as a number."""
    with pytest.raises(Unframed):
        split(header + b"x" * 100)


@given(st.lists(st.none() | st.binary(max_size=40)), st.integers(0, 500))
def test_packets_are_found_again_wherever_they_are_cut(
    contents: list[bytes | None], at: int
) -> None:
    """In two pieces, the rest of the first put before the second."""
    stream = b"".join(FLUSH if one is None else packet(one) for one in contents)
    first, rest = split(stream[:at])
    second, left = split(rest + stream[at:])
    assert (first + second, left) == (contents, b"")
