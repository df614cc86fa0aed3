"""The record's format: what is written comes back, what is hostile does not get in."""

import json
import math
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_kurama import record
from flask_kurama.record import EXTRA_FIELDS, FIELDS, TEN_FIELDS, Record, decode, encode

WHOLE = Record(
    timestamp="2026-11-23T13:12:00.123456Z",
    level="ERROR",
    url="http://shop.example/items/3?q=é",
    status=500,
    message='He said "no"\nand left\\',
    cpu_percent=12.5,
    disk_percent=40,
    swap_percent=0.0,
    memory_percent=99.9,
    uuid="01a208dd-5d8c-7c8c-9e91-ae3f0933734a",
    method="GET",
    route="/items/<int:id>",
    duration_ms=12.345,
    queue_ms=0.0,
    request_id="rid-1",
)
EMPTY = Record(
    "2026-11-23T13:12:00.123456Z", "INFO", None, None, "", None, None, None, None,
    "01a208dd-5d8c-7c8c-9e91-ae3f0933734a", None, None, None, None, None,
)  # fmt: skip


def line(**changes: object) -> str:
    """The JSON text of WHOLE with other values."""
    return json.dumps(json.loads(encode(WHOLE)) | changes)


def test_the_ten_fields_come_first_and_in_the_order_of_the_contract() -> None:
    """Readers may rely on the order of the keys, and on all of them being there."""
    assert TEN_FIELDS == (
        "timestamp", "level", "url", "status", "message",
        "cpu_percent", "disk_percent", "swap_percent", "memory_percent", "uuid",
    )  # fmt: skip
    assert EXTRA_FIELDS == ("method", "route", "duration_ms", "queue_ms", "request_id")
    assert tuple(json.loads(encode(EMPTY))) == TEN_FIELDS + EXTRA_FIELDS


@pytest.mark.parametrize("whole", [WHOLE, EMPTY])
def test_a_record_is_one_line_and_comes_back_as_it_was(whole: Record) -> None:
    """Encoding loses nothing, and a newline in the message is no end of the line."""
    written = encode(whole)
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1
    assert decode(written) == whole
    assert decode(written.decode()) == whole


def test_a_record_cannot_be_changed_nor_be_given_more() -> None:
    """It is frozen and has slots."""
    with pytest.raises(AttributeError):
        WHOLE.level = "INFO"  # type: ignore[misc]
    assert not hasattr(WHOLE, "__dict__")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"hello",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"{",
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"status":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_record_is_none(value: bytes) -> None:
    """Prints, other JSON, broken JSON, and JSON that breaks parsers."""
    assert decode(value) is None


@pytest.mark.parametrize("key", ["timestamp", "level", "message", "uuid"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, ""])
def test_the_four_required_fields_must_be_right(key: str, value: object) -> None:
    """Without one of them, or with another type, there is no record; a message may be empty."""
    found = decode(line(**{key: value}))
    assert (found is None) != (key == "message" and value == "")


@pytest.mark.parametrize(
    ("given_time", "utc"),
    [
        ("2026-11-23T13:12:00Z", "2026-11-23T13:12:00.000000Z"),
        ("2026-11-23t13:12:00.1z", "2026-11-23T13:12:00.100000Z"),
        ("2026-11-23 13:12:00.123456789Z", "2026-11-23T13:12:00.123456Z"),
        ("2026-11-23 13:12:00.123456Z", "2026-11-23T13:12:00.123456Z"),
        ("2026-11-23T13:12:00.12345²Z", None),
        ("2026-02-30T13:12:00.123456Z", None),
        ("2026-11-23T15:42:00.5+02:30", "2026-11-23T13:12:00.500000Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000000Z"),
        ("2026-11-23T13:12:00", None),
        ("2026-13-23T13:12:00Z", None),
        ("2026-11-23T24:00:00Z", None),
        ("2026-11-23T13:12:60Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2026-11-23T13:12:00+99:00", None),
        ("٢٠٢٦-11-23T13:12:00Z", None),
        ("20261123T131200Z", None),
        ("now", None),
    ],
)
def test_times_are_brought_to_utc_and_microseconds(given_time: str, utc: str | None) -> None:
    """Any RFC 3339 time that exists, and no other."""
    found = decode(line(timestamp=given_time))
    assert (found.timestamp if found else None) == utc


@pytest.mark.parametrize("level", ["info", "WARN", "NOTSET", "20"])
def test_other_levels_are_refused(level: str) -> None:
    """The five names and no others."""
    assert decode(line(level=level)) is None


@pytest.mark.parametrize(
    "uuid",
    [
        "01a208dd-5d8c-4c8c-9e91-ae3f0933734a",
        "01a208dd-5d8c-7c8c-ce91-ae3f0933734a",
        "01a208dd5d8c7c8c9e91ae3f0933734a",
        "{01a208dd-5d8c-7c8c-9e91-ae3f0933734a}",
        "01a208dd-5d8c-7c8c-9e91-ae3f0933734a\n",
    ],
)
def test_only_a_uuid_of_version_7_will_do(uuid: str) -> None:
    """Storage relies on its order."""
    assert decode(line(uuid=uuid)) is None
    found = decode(line(uuid=WHOLE.uuid.upper()))
    assert found
    assert found.uuid == WHOLE.uuid


@pytest.mark.parametrize("key", ["cpu_percent", "disk_percent", "swap_percent", "memory_percent"])
@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "1e999", "-0.1", "100.1", "true", '"5"', "[1]"]
)
def test_a_percentage_that_is_none_becomes_null(key: str, text: str) -> None:
    """Not the whole record is lost for it, and nothing impossible is stored."""
    found = decode(line(**{key: "HERE"}).replace('"HERE"', text))
    assert found
    assert getattr(found, key) is None
    assert found.message == WHOLE.message


@pytest.mark.parametrize("value", [99, 1000, 200.0, True, "200", -1])
def test_a_status_that_is_none_becomes_null(value: object) -> None:
    """Three digits, as an integer."""
    found = decode(line(status=value))
    assert found
    assert found.status is None


@pytest.mark.parametrize("value", [-1, 1e10, math.inf, "1", False])
def test_a_time_that_is_none_becomes_null(value: object) -> None:
    """Negative and endless durations are broken clocks."""
    found = decode(line(duration_ms=value, queue_ms=value))
    assert found
    assert (found.duration_ms, found.queue_ms) == (None, None)


def test_what_postgresql_or_utf8_cannot_hold_is_replaced() -> None:
    """NUL and lone surrogates in any text, and bytes that are not UTF-8."""
    found = decode(line(message="a\0b\ud800c😀", url="\0", route="\udfff"))
    assert found
    assert (found.message, found.url, found.route) == ("a�b�c😀", "�", "�")
    broken = encode(replace(WHOLE, message="HERE")).replace(b"HERE", b"\xff\xc3")
    found = decode(broken)
    assert found
    assert set(found.message) == {"�"}


def test_a_lone_surrogate_does_not_stop_the_encoder() -> None:
    """A file name that is not UTF-8 ends up in messages as surrogates."""
    found = decode(encode(replace(WHOLE, message="a\udcffb")))
    assert found
    assert found.message == "a?b"


def test_long_texts_are_cut() -> None:
    """A record is bounded; a message says how long it was."""
    found = decode(line(message="é" * 100_000, url="u" * 9000, request_id="r" * 200))
    assert found
    assert len(found.message.encode()) <= record.MESSAGE_BYTES
    assert found.message.endswith("… [cut: 100000 characters]")
    assert len(found.url or "") == record.URL_CHARS
    assert len(found.request_id or "") == record.REQUEST_ID_CHARS
    assert decode(line(more="x" * (record.LINE_BYTES - 1000)))
    assert decode(line(more="x" * record.LINE_BYTES)) is None


@given(st.text(max_size=100_000))
def test_a_message_is_cut_only_when_it_must_be(message: str) -> None:
    """What fits in 64 KB stays as it is."""
    clipped = record.clip(message)
    size = len(message.encode("utf-8", "replace"))
    assert len(clipped.encode("utf-8", "replace")) <= record.MESSAGE_BYTES
    assert (clipped == message) == (size <= record.MESSAGE_BYTES)


def test_a_message_at_the_bound_is_whole() -> None:
    """64 KB exactly is no reason to cut; a byte more is."""
    exact = "é" * (record.MESSAGE_BYTES // 2)
    assert record.clip(exact) == exact
    assert record.clip(exact + "x") != exact + "x"


def test_unknown_keys_are_left_out() -> None:
    """An application cannot say which app or release it is."""
    assert decode(line(app="other", release=9)) == WHOLE


def test_another_parser_may_be_used() -> None:
    """The pipeline gives a faster one; its refusal is a ValueError."""
    seen: list[str] = []

    def loads(text: str) -> object:
        seen.append(text)
        raise ValueError

    assert decode(encode(WHOLE), loads) is None
    assert len(seen) == 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(FIELDS), anything), st.sets(st.sampled_from(FIELDS)))
def test_no_object_makes_it_raise_and_what_it_takes_is_sound(
    changes: dict[str, object], kept: set[str]
) -> None:
    """Any values in any fields give None, or a record that can be written and read again."""
    whole = json.loads(encode(WHOLE))
    found = decode(json.dumps(whole | {k: v for k, v in changes.items() if k not in kept}))
    if found is not None:
        assert decode(encode(found)) == found
        assert datetime.fromisoformat(found.timestamp)


@given(st.binary() | st.binary().map(lambda tail: b'{"message":' + tail))
def test_no_bytes_make_it_raise(value: bytes) -> None:
    """Whatever an application writes."""
    assert decode(value) is None
