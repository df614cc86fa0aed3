"""From lines to records: what passes, what is made, what is folded, what is joined."""

import json
from datetime import UTC, datetime
from itertools import count

import pytest

from flask_kurama.parts import split
from flask_kurama.record import MESSAGE_BYTES, Record, encode
from flask_kurama.uuid7 import uuid7
from server.pipeline.assembler import Assembler, Line
from tests.unit.clock import Clock

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "app.py", line 3, in f',
    "    g()",
    "    ^^^",
    "ValueError: no",
]


def lines(*texts: str, source: str = "web.1 0") -> list[Line]:
    """These texts as lines of one output."""
    offsets = count(0, 100)
    return [Line(text, source, next(offsets), AT) for text in texts]


def assembled(*texts: str) -> list[Record]:
    """All records of an output that has ended."""
    assembler = Assembler(Clock())
    found = [record for line in lines(*texts) for record in assembler.feed(line)]
    return [*found, *assembler.flush()]


def messages(*texts: str) -> list[str]:
    """Their messages."""
    return [record.message for record in assembled(*texts)]


def record(message: str = "hello") -> Record:
    """What the library in an app writes."""
    return Record(
        "2026-01-31T11:59:59.000001Z", "WARNING", "http://h/", 404, message, 1.5, 2.5, 3.5, 4.5,
        uuid7(), "GET", "/", 12.5, 0.5, "r",
    )  # fmt: skip


def test_a_record_passes_as_it_is() -> None:
    """Its own time and UUID with it."""
    one = record()
    assert assembled(encode(one).decode().rstrip("\n")) == [one]


def test_a_line_becomes_a_record() -> None:
    """Its text is the message, its time when it was first read, the rest is unknown."""
    (made,) = assembled("Starting …")
    assert (made.message, made.level) == ("Starting …", "INFO")
    assert made.timestamp == "2026-01-31T12:00:00.123456Z"
    assert (made.url, made.status, made.cpu_percent, made.route) == (None, None, None, None)


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"a": 1}', '{"message": "half', "[1]", "null", " ", "", '{"timestamp":1}']
)
def test_json_that_is_no_record_is_text(text: str) -> None:
    """An app prints what it likes; nothing of it is lost."""
    assert messages(text) == [text]


def test_the_same_line_makes_the_same_record() -> None:
    """To read again after a crash makes no second one."""
    assert assembled("a", "b") == assembled("a", "b")


def test_other_lines_make_other_records() -> None:
    """By place, by source and by time, whatever their text."""
    first, second = lines("same", "same")
    elsewhere = lines("same", source="web.2 0")[0]
    later = Line("same", "web.1 0", 0, datetime(2026, 2, 1, tzinfo=UTC))
    made = [next(Assembler().feed(line)).uuid for line in (first, second, elsewhere, later)]
    assert len(set(made)) == 4


def test_lines_of_one_moment_sort_as_they_were_printed() -> None:
    """By UUID, which is what PostgreSQL sorts by behind the time."""
    uuids = [one.uuid for one in assembled(*(f"line {n}" for n in range(300)))]
    assert uuids == sorted(uuids)


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_gunicorns_own_lines_keep_their_level(level: str) -> None:
    """The format of its error log; a text that only looks alike is INFO."""
    (made,) = assembled(f"[2026-01-31 12:00:00 +0000] [7] [{level}] Booting")
    assert made.level == level
    assert assembled(f"[now] [7] [{level}] Booting")[0].level == "INFO"


def test_a_traceback_is_one_record() -> None:
    """Of level ERROR, with the time of its first line; what follows is another."""
    before, error, after = assembled("before", *TRACEBACK, "after")
    assert error.message == "\n".join(TRACEBACK)
    assert (error.level, before.level, after.level) == ("ERROR", "INFO", "INFO")
    assert (before.message, after.message) == ("before", "after")


def test_a_traceback_goes_on_with_its_causes() -> None:
    """Chained exceptions are one failure."""
    direct = "The above exception was the direct cause of the following exception:"
    during = "During handling of the above exception, another exception occurred:"
    whole = [*TRACEBACK, "", direct, "", *TRACEBACK, "", during, "", *TRACEBACK]
    assert messages(*whole, "after") == ["\n".join(whole), "after"]


def test_an_exception_group_is_one_record() -> None:
    """With its frames and branches in bars."""
    group = [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "a.py", line 1, in <module>',
        "  | ExceptionGroup: many (2 sub-exceptions)",
        "  +-+---------------- 1 ----------------",
        "    | ValueError: a",
        "    +---------------- 2 ----------------",
        "    | TypeError: b",
        "    +------------------------------------",
    ]
    assert messages(*group, "after") == ["\n".join(group), "after"]


def test_a_record_ends_a_traceback() -> None:
    """It is never part of one."""
    one = record()
    folded, passed = assembled(*TRACEBACK[:3], encode(one).decode().rstrip("\n"))
    assert folded.message == "\n".join(TRACEBACK[:3])
    assert passed == one


def test_a_traceback_waits_for_its_end() -> None:
    """Until another line comes, or it is told that none will."""
    assembler = Assembler(Clock())
    for line in lines(*TRACEBACK):
        assert list(assembler.feed(line)) == []
    assert assembler.is_waiting
    assert len(list(assembler.flush())) == 1
    assert list(assembler.flush()) == []


def test_a_flushed_assembler_waits_for_nothing() -> None:
    """Nor does a new one."""
    assembler = Assembler(Clock())
    assert not assembler.is_waiting
    for line in lines(*TRACEBACK):
        list(assembler.feed(line))
    list(assembler.flush())
    assert not assembler.is_waiting


def test_an_endless_traceback_is_cut() -> None:
    """Deep recursion can't fill the memory; no frame of it is lost."""
    frames = [f"  frame {n}" for n in range(4500)]
    found = messages(TRACEBACK[0], *frames)
    assert found[0].count("\n") == 1999
    assert len(found) > 2
    kept = "\n".join(found)
    assert all(frame in kept for frame in ("  frame 0", "frame 1998", "frame 1999", "frame 4499"))


def test_parts_are_joined() -> None:
    """A record longer than a pipe takes at once comes out as the record that it was."""
    one = record("x" * 20_000)
    parts = [part.decode().rstrip("\n") for part in split(encode(one))]
    assert len(parts) > 4
    assert assembled(*parts) == [one]


def test_parts_of_several_records_may_be_mixed_and_have_lines_between() -> None:
    """Several processes of an app write into one pipe."""
    ones = [record("a" * 9000), record("b" * 9000)]
    first, second = ([p.decode().rstrip("\n") for p in split(encode(one))] for one in ones)
    mixed = [text for pair in zip(first, second, strict=True) for text in pair]
    found = assembled(*mixed[:3], "printed", *mixed[3:])
    assert [one.message[:7] for one in found] == ["printed", "a" * 7, "b" * 7]


def test_missing_parts_are_waited_for_and_given_up() -> None:
    """For as long as the joiner keeps them: then nothing waits any more."""
    clock = Clock()
    assembler = Assembler(clock)
    first, *_ = split(encode(record("x" * 9000)))
    assert list(assembler.feed(lines(first.decode())[0])) == []
    assert assembler.is_waiting
    clock.now += 31
    assert list(assembler.flush()) == []
    assert not assembler.is_waiting


def test_a_message_is_bounded_and_clean() -> None:
    """NUL, which PostgreSQL has not, is shown as missing; what is too long is cut with a mark."""
    assert messages("a\0b") == ["a\N{REPLACEMENT CHARACTER}b"]
    (long,) = messages("ü" * 100_000)
    assert len(long.encode()) <= MESSAGE_BYTES
    assert long.endswith("[cut: 100000 characters]")


def test_a_lone_surrogate_passes() -> None:
    """What was not UTF-8 in the output travels the wire so; the record can be written."""
    (made,) = assembled("a\udcffb")
    assert json.loads(encode(made))["message"] == "a?b"
