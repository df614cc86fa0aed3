"""How things are shown: on a terminal, in a pipe, as JSON."""

import contextlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from kurama_cli import output

HEADERS = ["name", "state"]
ROWS = [["web.1", "running"], ["worker.1", "crashed"]]


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


Show = Callable[[list[str], list[list[str]]], str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a terminal of 80 columns, without colours, shows of a table."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def shown(headers: list[str], rows: list[list[str]]) -> str:
        with contextlib.redirect_stdout(Terminal()) as terminal:
            output.table(headers, rows, "none")
        return terminal.getvalue()

    return shown


def test_a_pipe_gets_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a row, words apart, for cut and awk."""
    output.table(HEADERS, ROWS, "none")
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()] == [HEADERS, *ROWS]
    assert said.isascii()


def test_numbers_in_a_pipe_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A commit is no number, though it may look like one in scientific notation."""
    output.table(["commit", "n"], [["12345e67", "007"], ["1e5", "1.50"]], "none")
    assert capsys.readouterr().out.split()[2:] == ["12345e67", "007", "1e5", "1.50"]


def test_a_terminal_gets_a_table(show: Show) -> None:
    """The same words."""
    shown = show(HEADERS, ROWS)
    assert [line.split() for line in shown.splitlines() if line.strip()] == [HEADERS, *ROWS]


def test_a_terminal_shows_brackets_as_they_are(show: Show) -> None:
    """They are no markup of a table's."""
    text = "[bold]x[/bold] [link=http://h]y[/link]"
    assert text in show(["value"], [[text]])


def test_a_terminal_folds_what_is_too_wide(show: Show) -> None:
    """And cuts nothing off."""
    shown = show(["a", "b"], [["x" * 120, "y" * 70]])
    assert (shown.count("x"), shown.count("y")) == (120, 70)
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("cell", ["\x1b[2Jx", "x\x07", "\x9bx", "x\r"])
def test_cells_can_not_disturb_a_terminal(cell: str, show: Show) -> None:
    """An app's own words may stand in them."""
    shown = show(["a"], [[cell]])
    assert not set(shown) & set("\x1b\x07\x9b\r")
    assert "x" in shown


def test_no_rows_are_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets nothing, not a heading."""
    output.table(HEADERS, [], "You have none.")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "You have none.\n")


def test_a_document_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One, whatever it holds, and readable."""
    value = {"name": "ü", "list": [1, None]}
    output.document(value)
    said = capsys.readouterr().out
    assert json.loads(said) == value
    assert "ü" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00\x08b", "ab"),
        ("\x9b2J", "2J"),
        ("a\tb\nc", "a\tb\nc"),
        ("→ ü", "→ ü"),
    ],
)
def test_what_a_terminal_would_obey_is_left_out(text: str, shown: str) -> None:
    """Lines and tabs stay."""
    assert output.clean(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-31T12:00:00Z", "0 s ago"),
        ("2026-01-31T11:59:18.600000+00:00", "41 s ago"),
        ("2026-01-31T11:55:00Z", "5 min ago"),
        ("2026-01-31T12:00:00+01:00", "1 h ago"),
        ("2026-01-30T14:00:00Z", "22 h ago"),
        ("2026-01-28T12:00:00Z", "3 days ago"),
        ("2026-01-31T12:00:09Z", "0 s ago"),
        (None, ""),
        ("", ""),
    ],
)
def test_times_are_shown_as_so_long_ago(text: str | None, shown: str) -> None:
    """In whatever zone; never in the future, where clocks differ."""
    assert output.ago(text, datetime(2026, 1, 31, 12, tzinfo=UTC)) == shown
