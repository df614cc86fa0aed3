"""How a deploy speaks to who pushed."""

import pytest

from server.deploys.narrator import Narrator, clean
from server.errors import BuildFailed


@pytest.fixture
def said() -> list[str]:
    """What the narrator has said."""
    return []


@pytest.fixture
def narrator(said: list[str]) -> Narrator:
    """One that speaks into `said`."""
    return Narrator(said.append)


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
