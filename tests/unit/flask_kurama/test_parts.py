"""Long lines: cut into parts, and put together again from whatever comes."""

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_kurama.parts import LINE, Joiner, split
from flask_kurama.record import MESSAGE_BYTES, Record, decode, encode

UUID = "01a208dd-5d8c-7c8c-9e91-ae3f0933734a"
SHORT = Record(
    "2026-11-23T13:12:00.123456Z", "INFO", None, None, "", None, None, None, None, UUID,
    None, None, None, None, None,
)  # fmt: skip


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def line(message: str, uuid: str = UUID) -> bytes:
    """The line of a record with this message."""
    return encode(replace(SHORT, message=message, uuid=uuid))


def joined(joiner: Joiner, lines: list[bytes]) -> list[bytes]:
    """What comes out of the joiner for these lines."""
    return [whole for each in lines if (whole := joiner.join(each)) is not None]


def part(uuid: str, index: object, count: object, data: object = "x") -> bytes:
    """A part line, well made or not."""
    return json.dumps(
        {"kurama_part": [uuid, index, count], "data": data}, separators=(",", ":")
    ).encode()


def test_a_short_line_stays_as_it_is() -> None:
    """Up to 4,096 bytes, the newline counted."""
    room = LINE - len(line(""))
    assert split(line("x" * room)) == [line("x" * room)]
    assert len(split(line("x" * (room + 1)))) == 2


@pytest.mark.parametrize("char", ["x", '"', "\\", "\n", "\x01", "é", "漢", "😀", 'a"é\\😀\n'])
def test_parts_are_short_and_make_the_whole(char: str) -> None:
    """Escapes make a piece longer than the text it holds, and other alphabets too."""
    long = line(char * (MESSAGE_BYTES // len(char.encode())))
    parts = split(long)
    assert max(map(len, parts)) <= LINE
    assert all(each.endswith(b"\n") and each.count(b"\n") == 1 for each in parts)
    assert joined(Joiner(Clock()), parts) == [long]


def test_a_joiner_waits_between_the_first_part_and_the_last() -> None:
    """Whoever reads on from a position must not yet move behind a part."""
    joiner = Joiner(Clock())
    waiting = []
    for each in split(line("x" * 10_000)):
        joiner.join(each)
        waiting.append(joiner.is_waiting)
    assert waiting == [True, True, False]


def test_a_part_names_its_record_its_place_and_the_count() -> None:
    """The format of a part line, which other readers may rely on, and the use of its room."""
    parts = split(line("x" * 10_000))
    assert len(parts) == 3
    assert parts[1].startswith(f'{{"kurama_part":["{UUID}",1,3],"data":"xxx'.encode())
    assert len(parts[0]) > LINE - 20


def test_the_uuid_is_the_records_even_when_the_message_holds_another() -> None:
    """A message may quote a record."""
    parts = split(line('"uuid":"' + "0" * 36 + '" ' + "x" * 5000))
    assert all(f'["{UUID}",'.encode() in each for each in parts)


def test_a_long_line_that_is_no_record_gets_a_uuid() -> None:
    """Anything can be split; the parts know each other."""
    long = b"y" * 9000 + b"\n"
    parts = split(long)
    assert joined(Joiner(Clock()), parts) == [long]


@given(st.text(max_size=30_000), st.randoms(use_true_random=False))
def test_parts_may_come_in_any_order_and_twice(message: str, random: Random) -> None:
    """Several processes write to one pipe, and delivery may repeat."""
    other = line(message[::-1], UUID.replace("a", "b"))
    parts = split(line(message)) + split(other)
    if len(parts) == 2:
        return
    lines = [each for each in parts if each.startswith(b'{"kurama_part"')]
    shuffled = random.sample(lines, len(lines))
    doubled = [each for each in shuffled[:-1] for _ in (1, 2)] + shuffled[-1:]
    joiner = Joiner(Clock())
    wholes = joined(joiner, doubled)
    expected = {each for each in (line(message), other) if len(each) > LINE}
    assert set(wholes) == expected


def test_what_is_no_part_comes_back() -> None:
    """Records, prints, and lines that only look like parts."""
    lines = [
        b"hello\n",
        line("short"),
        b'{"kurama_part":["',
        b'{"kurama_part":[1]}\n',
        b'{"kurama_part":["a","b","c"],"data":"x"}',
        part(UUID, 0, 0),
        part(UUID, 2, 2),
        part(UUID, -1, 2),
        part(UUID, 0, 10**9),
        part(UUID, 0, 2, data=5),
        part(UUID, True, 2),
        b'{"kurama_part":["\xff",0,2],"data":""}',
        b'{"kurama_part":[' * 200,
        part(UUID, 0, 2, data="x" * LINE),
    ]
    joiner = Joiner(Clock())
    assert joined(joiner, lines) == lines
    assert joiner.discarded == 0


def test_too_old_is_discarded_and_counted() -> None:
    """The writer died in between: its first parts do not stay for ever."""
    clock = Clock()
    joiner = Joiner(clock, age=30)
    first, second, third = split(line("x" * 10_000))
    assert joined(joiner, [first]) == []
    clock.now = 30
    assert joined(joiner, [second]) == []
    clock.now = 31
    assert joined(joiner, [third]) == []
    assert joiner.discarded == 1
    clock.now = 62
    joiner.expire()
    assert joiner.discarded == 2


def test_too_many_unfinished_push_out_the_oldest() -> None:
    """A hostile application that only begins records costs a bounded amount."""
    joiner = Joiner(Clock(), records=2)
    starts = [part(f"{n}", 0, 2) for n in range(3)]
    assert joined(joiner, starts) == []
    assert joiner.discarded == 1
    assert joined(joiner, [part("1", 1, 2, "y"), part("2", 1, 2, "z")]) == [b"xy\n", b"xz\n"]
    assert joined(joiner, [part("0", 1, 2)]) == []


def test_too_much_unfinished_pushes_out_the_oldest() -> None:
    """The bound is also on what the parts hold."""
    joiner = Joiner(Clock(), size=3000)
    assert joined(joiner, [part("a", 0, 2, "x" * 2000), part("b", 0, 2, "y" * 2000)]) == []
    assert joiner.discarded == 1
    assert joined(joiner, [part("b", 1, 2, "z")]) == [b"y" * 2000 + b"z\n"]
    assert joined(joiner, [part("c", 0, 2, "x" * 2500)]) == []
    assert joiner.discarded == 1


def test_a_part_that_comes_again_counts_once() -> None:
    """Towards the bound, too."""
    joiner = Joiner(Clock(), size=3000)
    again = part("a", 0, 2, "x" * 2000)
    assert joined(joiner, [again, again, again]) == []
    assert joiner.discarded == 0


def test_parts_that_contradict_each_other_are_discarded() -> None:
    """The same name with another count cannot be completed."""
    joiner = Joiner(Clock())
    assert joined(joiner, [part("a", 0, 2), part("a", 1, 3)]) == []
    assert joiner.discarded == 1


def test_a_joined_record_with_a_surrogate_is_bytes_all_the_same() -> None:
    """A forged part may hold an escape that no UTF-8 has."""
    assert joined(Joiner(Clock()), [part("a", 0, 1, "\ud800")]) == [b"?\n"]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-1, 4), st.integers(-1, 4)), max_size=30)
)
def test_no_sequence_of_parts_makes_it_raise(parts: list[tuple[str, int, int]]) -> None:
    """Every part line is taken, handed on, or counted as discarded in the end."""
    clock = Clock()
    joiner = Joiner(clock)
    joined(joiner, [part(*each) for each in parts])
    clock.now = 1000
    joiner.expire()
    assert joiner.join(part("a", 0, 2)) is None


def test_a_full_record_survives_the_whole_way() -> None:
    """Encode, split, join and decode give back what was said."""
    message = "".join(chr(n) for n in range(1, 0x3000) if not 0xD800 <= n < 0xE000)
    (whole,) = joined(Joiner(Clock()), split(line(message)))
    found = decode(whole)
    assert found
    assert found.message == message
