"""How a deploy speaks to who pushed."""

import pytest

from flask_kurama.parts import split
from flask_kurama.record import Record, encode
from flask_kurama.uuid7 import uuid7
from server.deploys.narrator import Narrator, clean, readable
from server.errors import BuildFailed


@pytest.fixture
def said() -> list[str]:
    """What the narrator has said."""
    return []


@pytest.fixture
def narrator(said: list[str]) -> Narrator:
    """One that speaks into `said`."""
    return Narrator(said.append)


def line(message: str) -> str:
    """A record's line with this message."""
    record = Record(
        "2026-01-31T12:00:00.000000Z", "ERROR", *(None, None), message, *(None,) * 4, uuid7(),
        *(None,) * 5,
    )  # fmt: skip
    return encode(record).decode().rstrip("\n")


def test_steps_ends_and_output_look_different(narrator: Narrator, said: list[str]) -> None:
    """As Heroku's: arrows for steps, a tool's output indented by seven."""
    narrator.step("Building v1")
    narrator.output("Installed flask")
    narrator.output("")
    narrator.done("v1 is live")
    assert said == ["-----> Building v1", "       Installed flask", "", "=====> v1 is live"]


def test_a_failure_is_a_block(narrator: Narrator, said: list[str]) -> None:
    """What happened, then what to do, each line marked."""
    narrator.failure(BuildFailed("pip failed\n\nno such thing", "Pin it.\nPush again."))
    assert said == [
        "",
        " !     pip failed",
        " !",
        " !     no such thing",
        " !",
        " !     Pin it.",
        " !     Push again.",
        "",
    ]


def test_a_failure_without_advice_has_none(narrator: Narrator, said: list[str]) -> None:
    """No empty mark behind it."""
    narrator.failure(BuildFailed("pip failed"))
    assert said == ["", " !     pip failed", ""]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("50%\r100%", "50%100%"),
        ("a\x00b\x07c\x08d\x7f", "abcd"),
        ("\x9b31mred", "31mred"),
        ("\x1bMup", "up"),
        ("a\tb", "a\tb"),
        ("ü → ✓", "ü → ✓"),
        ("\x1b[?25lhidden", "hidden"),
    ],
)
def test_nothing_moves_a_terminals_cursor(printed: str, shown: str) -> None:
    """What a build prints is shown in somebody's terminal."""
    assert clean(printed) == shown


def test_output_and_errors_are_cleaned(narrator: Narrator, said: list[str]) -> None:
    """Wherever an app's own words appear."""
    narrator.output("\x1b[31mred")
    narrator.failure(BuildFailed("\x1b[2Jmessage", "\x1b[2Jhint"))
    assert not [one for one in said if "\x1b" in one]


def test_records_are_read_as_their_messages() -> None:
    """The last lines of a replica that failed, among them what it only printed."""
    lines = ["Starting", line("Traceback:\n  boom"), "{not a record}"]
    assert list(readable(lines)) == ["Starting", "Traceback:", "  boom", "{not a record}"]


def test_records_in_parts_are_put_together() -> None:
    """A traceback is easily longer than a line may be."""
    parts = [one.decode().rstrip("\n") for one in split(line("x" * 9000).encode() + b"\n")]
    assert len(parts) > 2
    assert list(readable(parts)) == ["x" * 9000]
    assert list(readable(parts[1:])) == []
