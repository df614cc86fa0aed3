"""UUIDs of version 7: their bits, their order, their reproducible form."""

import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_kurama.uuid7 import short_id, uuid7, uuid7_at, uuid7_from

# RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC.
RFC_MS = 0x017F22E279B0


def test_the_example_of_the_rfc() -> None:
    """The bits are where RFC 9562, appendix A.6, has them."""
    # 0xCC3 and 0x18C4DC0C0C07398F without the version and the variant.
    entropy = ((0xCC3 << 68) | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7_from(RFC_MS, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=20))
def test_version_and_variant_are_right_whatever_the_entropy(ms: int, entropy: bytes) -> None:
    """Always a canonical UUIDv7 of the time that was given, and the same for the same."""
    text = uuid7_from(ms, entropy)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == ms
    assert text == uuid7_from(ms, entropy[:10])


def test_different_entropy_gives_different_uuids() -> None:
    """Each of the 74 bits that are not version or variant counts."""
    entropies = [(1 << bit).to_bytes(10, "big") for bit in range(80)]
    assert len({uuid7_from(RFC_MS, entropy) for entropy in entropies}) == 75


@pytest.mark.parametrize(("ms", "size"), [(-1, 10), (2**48, 10), (0, 9)])
def test_what_does_not_fit_is_refused(ms: int, size: int) -> None:
    """A time outside 48 bits, and too little entropy."""
    with pytest.raises(ValueError, match=r"UUIDv7|entropy"):
        uuid7_from(ms, bytes(size))


def test_a_later_time_sorts_later() -> None:
    """Within a millisecond too, to a quarter of a microsecond."""
    start = RFC_MS * 1_000_000
    made = [uuid7_at(start + step * 250) for step in range(8000)]
    assert made == sorted(made)
    assert uuid.UUID(made[0]).int >> 80 == RFC_MS


def test_the_same_time_gives_different_uuids() -> None:
    """Two records of one nanosecond are two."""
    assert len({uuid7_at(0) for _ in range(1000)}) == 1000
    assert uuid.UUID(uuid7()).version == 7


def test_a_forked_process_has_a_sequence_of_its_own() -> None:
    """gunicorn's workers would otherwise make the same identifiers."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, short_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 100).decode()
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 16
    assert theirs != short_id()
